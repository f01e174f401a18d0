/* Small datagrams at the speed of system calls: see load.py, which does the same where there is no compiler. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, BATCH = 64, SAMPLES = 1 << 20 };

static double samples[SAMPLES];
static int taken;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void take(double seconds) {
    if (taken < SAMPLES) samples[taken++] = seconds;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* What one datagram took: what a share of all samples stay below, in microseconds. */
static double typical_us(double share) {
    qsort(samples, taken, sizeof *samples, by_size);
    return taken ? samples[(int)(taken * share)] * 1e6 : 0;
}

static int opened(const char *host, const char *port, int is_client) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    int sock = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    inet_pton(AF_INET, host, &at.sin_addr);
    int failed = is_client ? connect(sock, (void *)&at, sizeof at) : bind(sock, (void *)&at, sizeof at);
    if (sock < 0 || failed) {
        perror(host);
        exit(1);
    }
    struct timeval patience = {.tv_usec = 200000};
    if (is_client) setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return sock;
}

static void ready(void) {
    puts("ready");
    fflush(stdout);
}

/* Answer each datagram with itself. */
static void echo(int sock) {
    char packet[2048];
    struct sockaddr_in peer;
    for (ready();;) {
        socklen_t length = sizeof peer;
        ssize_t size = recvfrom(sock, packet, sizeof packet, 0, (void *)&peer, &length);
        if (size >= 0) sendto(sock, packet, size, 0, (void *)&peer, length);
    }
}

/* Count datagrams; one of a single byte is answered with their number, and they are counted anew. */
static void sink(int sock) {
    static char packets[BATCH][SIZE];
    static struct mmsghdr heads[BATCH];
    static struct iovec pieces[BATCH];
    static struct sockaddr_in peers[BATCH];
    unsigned long long count = 0;
    for (ready();;) {
        for (int i = 0; i < BATCH; i++) {
            pieces[i] = (struct iovec){packets[i], SIZE};
            heads[i].msg_hdr = (struct msghdr){
                .msg_iov = &pieces[i], .msg_iovlen = 1, .msg_name = &peers[i], .msg_namelen = sizeof peers[i]};
        }
        int got = recvmmsg(sock, heads, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            if (heads[i].msg_len != 1) {
                count++;
                continue;
            }
            char text[32];
            int size = snprintf(text, sizeof text, "%llu", count);
            sendto(sock, text, size, 0, (void *)&peers[i], sizeof peers[i]);
            count = 0;
        }
    }
}

/* One question after the other; those that are lost are asked again. */
static void ask(int sock, double seconds) {
    char packet[SIZE] = {0};
    unsigned long long answers = 0;
    double begin = now(), end;
    while ((end = now()) < begin + seconds) {
        for (int i = 0; i < BATCH; i++) {
            double asked = now();
            if (send(sock, packet, SIZE, 0) != SIZE || recv(sock, packet, SIZE, 0) != SIZE) continue;
            take(now() - asked);
            answers++;
        }
    }
    printf("%llu %.6f %.4f\n", answers, end - begin, typical_us(0.5));
}

/* As many datagrams as the system takes; the number that came to the other side is asked for at the end. */
static void blast(int sock, double seconds) {
    static char packet[SIZE];
    static struct mmsghdr heads[BATCH];
    struct iovec piece = {packet, SIZE};
    char text[32] = "";
    for (int i = 0; i < BATCH; i++) heads[i].msg_hdr = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1};
    double begin = now(), end;
    while ((end = now()) < begin + seconds) {
        int sent = sendmmsg(sock, heads, BATCH, 0);
        if (sent == BATCH) take((now() - end) / BATCH);
    }
    for (int attempt = 0; attempt < 20 && !text[0]; attempt++) {
        send(sock, "?", 1, 0);
        if (recv(sock, text, sizeof text - 1, 0) < 0) text[0] = 0;
    }
    printf("%s %.6f %.4f\n", text[0] ? text : "0", end - begin, typical_us(0.05));
}

int main(int count, char **words) {
    if (count < 4) return 2;
    int is_client = count > 4;
    int sock = opened(words[2], words[3], is_client);
    double seconds = is_client ? atof(words[4]) : 0;
    if (!strcmp(words[1], "echo")) echo(sock);
    if (!strcmp(words[1], "sink")) sink(sock);
    if (!strcmp(words[1], "ask")) ask(sock, seconds);
    if (!strcmp(words[1], "blast")) blast(sock, seconds);
    return 0;
}
