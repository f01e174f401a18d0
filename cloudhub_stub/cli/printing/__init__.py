"""How the commands show objects: tables, documents and descriptions, in the form that ``kubectl`` gives them (pure)."""
