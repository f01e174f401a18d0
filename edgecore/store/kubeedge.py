"""The tables of the Go edgecore, with the text that its program makes them with (beego's ORM, KubeEdge v1.3.1).

SQLite keeps the text of a table from its name on, so ``.schema`` of a file of ours shows them as that of Go does. What
is ours lies beside them; tables of others are left as they are.
"""

DEVICE = """\
CREATE TABLE IF NOT EXISTS `device` (
    `id` varchar(64) NOT NULL PRIMARY KEY,
    `name` text,
    `description` text,
    `state` text,
    `last_online` text
)"""
DEVICE_ATTR = """\
CREATE TABLE IF NOT EXISTS `device_attr` (
    `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    `deviceid` text,
    `name` text,
    `description` text,
    `value` text,
    `optional` bool,
    `attr_type` text,
    `metadata` text
)"""
DEVICE_TWIN = """\
CREATE TABLE IF NOT EXISTS `device_twin` (
    `id` integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    `deviceid` text,
    `name` text,
    `description` text,
    `expected` text,
    `actual` text,
    `expected_meta` text,
    `actual_meta` text,
    `expected_version` text,
    `actual_version` text,
    `optional` bool,
    `attr_type` text,
    `metadata` text
)"""
META = """\
CREATE TABLE IF NOT EXISTS `meta` (
    `key` varchar(256) NOT NULL PRIMARY KEY,
    `type` varchar(32) NOT NULL DEFAULT '' ,
    `value` text
)"""

SUB_TOPICS = """\
CREATE TABLE IF NOT EXISTS `sub_topics` (
    `topic` text NOT NULL PRIMARY KEY
)"""
"""Of version 1.6 and later."""

DEVICES = (DEVICE, DEVICE_ATTR, DEVICE_TWIN)
"""Those of the module DeviceTwin."""
TABLES = ("device", "device_attr", "device_twin", "meta")
"""The names of all four."""
SCHEMA = (*DEVICES, META)
"""All four, in the order in which the Go program makes them."""
LATER_TABLES = ("sub_topics",)
"""Those of later versions that we have too."""
