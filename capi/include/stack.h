/* A TCP/IP stack in user space, for C. Made by cbindgen from the crate capi; renew it by
 *     WRITE_HEADER=1 cargo test -p capi --test header
 *
 * A number that is negative is an errno of Linux, negated. A pointer that is null is a failure, and
 * stack_last_error() its errno. Null where something must be is EFAULT.
 *
 * What the caller promises: a pointer that is not null leads to what its type says, of the length
 * that stands beside it, and that stays so during the call. What a stack_*_new, stack_start_*,
 * stack_connect, stack_listen, stack_udp or stack_accept answered is used until it is given back,
 * once, and not after. A stack_host is used by one thread at a time; everything else by any number.
 */

#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A host that speaks IP: packets and the time in, packets and the next deadline out.
typedef struct stack_host stack_host;

// A socket of a running stack. Several threads may use it at once.
typedef struct stack_socket stack_socket;

// A running stack.
typedef struct stack stack;

// An IP address with a port. stack_address_parse makes one from text.
typedef struct stack_address {
  // 4 or 6.
  uint8_t family;
  // The address, in the order of the wire; of family 4 the first four bytes.
  uint8_t ip[16];
  // The port, in the order of this machine.
  uint16_t port;
} stack_address;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// A host with this address ("10.0.0.1/24") that speaks raw IP: no Ethernet, no ARP. The gateway
// may be null. `key` is 16 random bytes that nobody else knows: port numbers and sequence numbers
// are made from it. Null is a failure. To be given back to stack_host_free.
struct stack_host *stack_host_new(const char *address,
                                  const char *gateway,
                                  uint32_t mtu,
                                  const uint8_t *key);

// Frees a host; null is allowed.
void stack_host_free(struct stack_host *host);

// An IP packet came in at this time, ns on a clock that never goes back.
int64_t stack_host_receive(struct stack_host *host,
                           uint64_t now_ns,
                           const uint8_t *packet,
                           size_t size);

// Takes the next IP packet to send; returns its length, 0 if there is none. A packet that is
// longer than `capacity` is -EMSGSIZE and stays; none is longer than the MTU.
int64_t stack_host_transmit(struct stack_host *host,
                            uint64_t now_ns,
                            uint8_t *buffer,
                            size_t capacity);

// Does what is due at this time.
int64_t stack_host_poll(struct stack_host *host, uint64_t now_ns);

// When to call stack_host_poll next, ns on the same clock; INT64_MAX while nothing is pending.
int64_t stack_host_deadline(struct stack_host *host);

// A new socket of this kind: 1 TCP, 2 UDP. Returns its id.
int64_t stack_host_socket(struct stack_host *host, int32_t of);

// bind(2).
int64_t stack_host_bind(struct stack_host *host,
                        uint64_t now_ns,
                        int64_t socket,
                        const struct stack_address *address);

// listen(2).
int64_t stack_host_listen(struct stack_host *host,
                          uint64_t now_ns,
                          int64_t socket,
                          uint32_t backlog);

// connect(2): -EINPROGRESS for TCP; stack_host_readiness tells when it is there (POLLOUT), and
// calling it again how it ended: -EISCONN, or its error.
int64_t stack_host_connect(struct stack_host *host,
                           uint64_t now_ns,
                           int64_t socket,
                           const struct stack_address *address);

// accept(2): the new socket's id, or -EAGAIN. `peer` may be null.
int64_t stack_host_accept(struct stack_host *host,
                          uint64_t now_ns,
                          int64_t socket,
                          struct stack_address *peer);

// send(2): bytes taken, or -EAGAIN.
int64_t stack_host_send(struct stack_host *host,
                        uint64_t now_ns,
                        int64_t socket,
                        const uint8_t *data,
                        size_t size);

// recv(2): bytes copied, 0 at the end, or -EAGAIN.
int64_t stack_host_recv(struct stack_host *host,
                        uint64_t now_ns,
                        int64_t socket,
                        uint8_t *buffer,
                        size_t capacity);

// sendto(2), one datagram.
int64_t stack_host_send_to(struct stack_host *host,
                           uint64_t now_ns,
                           int64_t socket,
                           const uint8_t *data,
                           size_t size,
                           const struct stack_address *to);

// recvfrom(2), one datagram; what does not fit is lost. `from` may be null.
int64_t stack_host_recv_from(struct stack_host *host,
                             uint64_t now_ns,
                             int64_t socket,
                             uint8_t *buffer,
                             size_t capacity,
                             struct stack_address *from);

// What the socket can do without waiting: the bits of poll(2), POLLIN, POLLOUT, POLLERR...
int64_t stack_host_readiness(struct stack_host *host, int64_t socket);

// shutdown(2): 0 reading, 1 writing, 2 both.
int64_t stack_host_shutdown(struct stack_host *host, uint64_t now_ns, int64_t socket, int32_t how);

// close(2).
int64_t stack_host_close(struct stack_host *host, uint64_t now_ns, int64_t socket);

// The errno of this thread's last failure; 0 if there was none.
int32_t stack_last_error(void);

// Copies the words for this thread's last failure, cut to `capacity` with the zero at their end;
// returns their whole length.
int64_t stack_error_text(char *buffer, size_t capacity);

// Reads an address like "10.9.0.2:80".
int64_t stack_address_parse(const char *from, struct stack_address *address);

// Starts a stack on a TAP with this address ("10.9.0.2/24"); the TAP is made if need be. The
// gateway may be null. Null is a failure. To be given back to stack_stop.
struct stack *stack_start_tap(const char *tap, const char *address, const char *gateway);

// Starts a stack on a descriptor: a TAP, or a connected SOCK_SEQPACKET or SOCK_DGRAM socket with
// one Ethernet frame a message. The stack has a duplicate; otherwise as stack_start_tap.
struct stack *stack_start_fd(int32_t fd, const char *address, const char *gateway);

// Ends a stack: connections are finished in order, at most half a second, calls that wait are told
// ENETDOWN. Its sockets are still to be closed. Null is allowed.
void stack_stop(struct stack *stack);

// Opens a TCP connection; gives up after `timeout_ms`, 0 for TCP's own time. Null is a failure.
// To be given back to stack_close, like every socket.
struct stack_socket *stack_connect(const struct stack *stack,
                                   const struct stack_address *to,
                                   uint32_t timeout_ms);

// Listens for TCP connections; `backlog` of them may wait. Null is a failure.
struct stack_socket *stack_listen(const struct stack *stack,
                                  const struct stack_address *at,
                                  uint32_t backlog);

// A bound UDP socket. Null is a failure.
struct stack_socket *stack_udp(const struct stack *stack, const struct stack_address *at);

// Waits for a connection. `peer` may be null. Null is a failure.
struct stack_socket *stack_accept(const struct stack_socket *listener, struct stack_address *peer);

// send(2): waits for room; bytes taken, which may be fewer.
int64_t stack_send(const struct stack_socket *socket, const uint8_t *data, size_t size);

// recv(2): waits for data; bytes copied, 0 at the end.
int64_t stack_recv(const struct stack_socket *socket, uint8_t *buffer, size_t capacity);

// sendto(2): one datagram.
int64_t stack_send_to(const struct stack_socket *socket,
                      const uint8_t *data,
                      size_t size,
                      const struct stack_address *to);

// recvfrom(2): waits for a datagram; what does not fit is lost. `from` may be null.
int64_t stack_recv_from(const struct stack_socket *socket,
                        uint8_t *buffer,
                        size_t capacity,
                        struct stack_address *from);

// getsockname(2).
int64_t stack_local_address(const struct stack_socket *socket, struct stack_address *address);

// shutdown(2): 0 reading, 1 writing, 2 both. A listener ends, and who waits in stack_accept is
// told.
int64_t stack_shutdown(const struct stack_socket *socket, int32_t direction);

// Nothing waits any more: -EAGAIN instead.
int64_t stack_set_nonblocking(const struct stack_socket *socket, bool on);

// SO_RCVTIMEO and SO_SNDTIMEO: after so many ms -EAGAIN; 0 waits for ever.
int64_t stack_set_timeouts(const struct stack_socket *socket,
                           uint32_t receive_ms,
                           uint32_t send_ms);

// TCP_NODELAY.
int64_t stack_set_nodelay(const struct stack_socket *socket, bool on);

// A descriptor for poll(2) and epoll(7) that is readable while the socket can be read (or, with
// `writable`, written) without waiting. It belongs to the socket: do not read, write or close it.
int64_t stack_ready_fd(const struct stack_socket *socket, bool writable);

// close(2). Null is allowed.
void stack_close(struct stack_socket *socket);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* STACK_H */
