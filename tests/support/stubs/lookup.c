/* Asks the stub resolver of the C library that it is compiled with.
 *
 * lookup NAME FAMILY   getaddrinfo, FAMILY 0 (any), 4 or 6: a line "canon NAME" if there is one, then each address
 * lookup -x ADDRESS    getnameinfo: a line "name NAME"
 *
 * The last line is "ok", or "error NUMBER TEXT".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int end(int code)
{
    if (code == 0)
        puts("ok");
    else
        printf("error %d %s\n", code, gai_strerror(code));
    return 0;
}

int main(int count, char **words)
{
    struct addrinfo hints, *found, *one;
    char text[1025];
    int code;

    if (count != 3)
        return 2;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (strcmp(words[1], "-x") == 0) {
        hints.ai_flags = AI_NUMERICHOST;
        code = getaddrinfo(words[2], NULL, &hints, &found);
        if (code == 0)
            code = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NAMEREQD);
        if (code == 0)
            printf("name %s\n", text);
        return end(code);
    }
    hints.ai_flags = AI_CANONNAME;
    hints.ai_family = words[2][0] == '4' ? AF_INET : words[2][0] == '6' ? AF_INET6 : AF_UNSPEC;
    code = getaddrinfo(words[1], NULL, &hints, &found);
    if (code != 0)
        return end(code);
    if (found->ai_canonname)
        printf("canon %s\n", found->ai_canonname);
    for (one = found; one; one = one->ai_next) {
        getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        printf("address %s\n", text);
    }
    return end(0);
}
