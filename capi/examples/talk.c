/* Two stacks in one process, twice: as hosts in the program's own loop, where time is a variable,
 * and on threads with sockets that wait, joined by a socket pair.
 *
 *     cargo build -p capi
 *     cc -Icapi/include capi/examples/talk.c target/debug/libstack_c.a -lpthread -lm -ldl -o talk
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack.h"

#define MTU 1500
#define STEP_NS 1000000 /* the wire takes a millisecond */

static void must(int is_so, const char *what) {
    if (is_so) return;
    char text[200] = "";
    stack_error_text(text, sizeof text);
    fprintf(stderr, "%s: %s (errno %d)\n", what, text, stack_last_error());
    exit(1);
}

/* Carries every packet that waits in one host to the other. */
static int carry(stack_host *from, stack_host *to, uint64_t now) {
    uint8_t packet[MTU];
    int64_t size;
    int carried = 0;
    while ((size = stack_host_transmit(from, now, packet, sizeof packet)) > 0) {
        must(stack_host_receive(to, now + STEP_NS, packet, (size_t)size) == 0, "receive");
        carried++;
    }
    must(size == 0, "transmit");
    return carried;
}

static void embedded(void) {
    uint8_t key[2][16] = {"no secret at all", "this is no other"};
    stack_host *a = stack_host_new("10.0.0.1/24", NULL, MTU, key[0]);
    stack_host *b = stack_host_new("10.0.0.2/24", NULL, MTU, key[1]);
    must(a && b, "hosts");
    stack_address to;
    must(stack_address_parse("10.0.0.2:80", &to) == 0, "address");
    uint64_t now = 1000000000;

    int64_t listener = stack_host_socket(b, 1);
    must(stack_host_bind(b, now, listener, &to) == 0, "bind");
    must(stack_host_listen(b, now, listener, 16) == 0, "listen");
    int64_t client = stack_host_socket(a, 1);
    must(stack_host_connect(a, now, client, &to) == -EINPROGRESS, "connect");

    int64_t server = -EAGAIN;
    char heard[64] = "";
    int sent = 0, packets = 0;
    for (int turn = 0; turn < 1000 && !heard[0]; turn++) {
        packets += carry(a, b, now) + carry(b, a, now);
        now += STEP_NS;
        stack_host_poll(a, now);
        stack_host_poll(b, now);
        if (!sent && stack_host_readiness(a, client) & POLLOUT)
            sent = stack_host_send(a, now, client, (const uint8_t *)"hello", 5) == 5;
        if (server < 0) server = stack_host_accept(b, now, listener, NULL);
        if (server >= 0) stack_host_recv(b, now, server, (uint8_t *)heard, sizeof heard - 1);
    }
    must(strcmp(heard, "hello") == 0, "what was heard");
    must(stack_host_deadline(a) > 0, "deadline");
    printf("embedded: \"%s\" in %d packets, %" PRIu64 " ms of virtual time\n", heard, packets,
           (now - 1000000000) / 1000000);
    must(stack_host_close(a, now, client) == 0, "close");
    stack_host_free(a);
    stack_host_free(b);
}

/* Sends back what comes until the end. */
static void *echo(void *listener) {
    stack_socket *peer = stack_accept(listener, NULL);
    must(peer != NULL, "accept");
    uint8_t buffer[4096];
    int64_t n;
    while ((n = stack_recv(peer, buffer, sizeof buffer)) > 0)
        for (int64_t at = 0; at < n;) {
            int64_t part = stack_send(peer, buffer + at, (size_t)(n - at));
            must(part > 0, "send back");
            at += part;
        }
    must(n == 0, "recv");
    stack_close(peer);
    return NULL;
}

static void blocking(void) {
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
    stack *a = stack_start_fd(ends[0], "10.0.0.1/24", NULL);
    must(a != NULL, "first stack");
    stack *b = stack_start_fd(ends[1], "10.0.0.2/24", NULL);
    must(b != NULL, "second stack");
    stack_address at;
    must(stack_address_parse("10.0.0.2:7", &at) == 0, "address");
    stack_socket *listener = stack_listen(b, &at, 16);
    must(listener != NULL, "listen");
    pthread_t thread;
    must(pthread_create(&thread, NULL, echo, listener) == 0, "thread");

    stack_socket *stream = stack_connect(a, &at, 10000);
    must(stream != NULL, "connect");
    must(stack_set_timeouts(stream, 10000, 10000) == 0, "timeouts");
    must(stack_send(stream, (const uint8_t *)"hello", 5) == 5, "send");
    struct pollfd ready = {.fd = (int)stack_ready_fd(stream, false), .events = POLLIN};
    must(poll(&ready, 1, 10000) == 1, "poll");
    char heard[6] = "";
    must(stack_recv(stream, (uint8_t *)heard, 5) == 5, "recv");
    must(stack_shutdown(stream, 1) == 0, "shutdown");
    must(stack_recv(stream, (uint8_t *)heard, 0) == 0, "the end");
    printf("blocking: \"%s\"\n", heard);
    stack_close(stream);
    pthread_join(thread, NULL);
    stack_close(listener);

    at.port = 9;
    must(stack_connect(a, &at, 10000) == NULL && stack_last_error() == ECONNREFUSED, "refused");
    char text[100];
    stack_error_text(text, sizeof text);
    printf("nobody on port 9: %s\n", text);
    stack_stop(a);
    stack_stop(b);
    close(ends[0]);
    close(ends[1]);
}

/* What a program gets wrong is an error, not a crash. */
static void misuse(void) {
    stack_address none = {0};
    must(stack_connect(NULL, &none, 0) == NULL && stack_last_error() == EFAULT, "null stack");
    must(stack_recv(NULL, NULL, 0) == -EFAULT, "null socket");
    must(stack_host_new("10.0.0.300/24", NULL, MTU, (const uint8_t *)"0123456789abcdef") == NULL,
         "no such address");
    must(stack_host_new("10.0.0.1/24", NULL, MTU, NULL) == NULL, "no key");
    stack_host *host = stack_host_new("10.0.0.1/24", NULL, MTU, (const uint8_t *)"0123456789abcdef");
    uint8_t byte = 0;
    must(stack_host_receive(host, 1, &byte, SIZE_MAX) == -EINVAL, "a length that cannot be");
    must(stack_host_receive(host, 1, &byte, 1) == 0, "a packet of one byte is dropped");
    must(stack_host_recv(host, 1, 12345, &byte, 1) == -EBADF, "no such socket");
    must(stack_host_bind(host, 1, stack_host_socket(host, 1), &none) == -EINVAL, "no family");
    must(stack_host_socket(host, 3) == -EINVAL, "no such kind");
    stack_host_free(host);
    stack_host_free(NULL);
    stack_close(NULL);
    stack_stop(NULL);
    printf("misuse: refused\n");
}

int main(void) {
    embedded();
    blocking();
    misuse();
    return 0;
}
