/* Debian's liblwip on a TAP, with the services that `cargo xtask bench` measures.
 *
 * `lwip TAP ADDRESS`: echo on 7, discard on 9, source on 19, in one thread by lwIP's raw API; each
 * byte is copied once into or out of a buffer of the application. The library is as Debian builds
 * it: windows of 64 KiB, segments of 1460 bytes, checksums in software. */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

enum { ECHO = 7, DISCARD = 9, SOURCE = 19, ROOM = 2048, BATCH = 64, APPLICATION = 131072 };

static int tap = -1;
static char application[APPLICATION];

static err_t transmit(struct netif *netif, struct pbuf *packet)
{
    static char frame[ROOM];
    (void)netif;
    if (packet->next != NULL) {
        pbuf_copy_partial(packet, frame, packet->tot_len, 0);
        return write(tap, frame, packet->tot_len) < 0 ? ERR_IF : ERR_OK;
    }
    return write(tap, packet->payload, packet->len) < 0 ? ERR_IF : ERR_OK;
}

static err_t begin(struct netif *netif)
{
    static const u8_t mac[6] = {2, 0, 10, 9, 0, 2};
    memcpy(netif->hwaddr, mac, sizeof mac);
    netif->hwaddr_len = sizeof mac;
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->output = etharp_output;
    netif->linkoutput = transmit;
    netif->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->flags |= NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* Fills the send buffer of a source. */
static err_t produce(struct tcp_pcb *pcb)
{
    u32_t room;
    while ((room = tcp_sndbuf(pcb)) > 0 && tcp_sndqueuelen(pcb) + 4 < TCP_SND_QUEUELEN) {
        u16_t count = room > 32768 ? 32768 : (u16_t)room;
        if (tcp_write(pcb, application, count, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
    }
    return tcp_output(pcb);
}

static err_t on_sent(void *port, struct tcp_pcb *pcb, u16_t count)
{
    (void)count;
    return (int)(size_t)port == SOURCE ? produce(pcb) : ERR_OK;
}

static err_t on_received(void *port, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    if (error != ERR_OK || data == NULL)
        return tcp_close(pcb) == ERR_OK ? ERR_OK : ERR_MEM;
    u16_t count = pbuf_copy_partial(data, application, data->tot_len, 0);
    tcp_recved(pcb, count);
    pbuf_free(data);
    if ((int)(size_t)port == ECHO) {
        tcp_write(pcb, application, count, TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
    }
    return ERR_OK;
}

static err_t on_accepted(void *port, struct tcp_pcb *pcb, err_t error)
{
    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    tcp_arg(pcb, port);
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    return (int)(size_t)port == SOURCE ? produce(pcb) : ERR_OK;
}

static int serve(u16_t port)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK)
        return -1;
    pcb = tcp_listen_with_backlog(pcb, 255);
    if (pcb == NULL)
        return -1;
    tcp_arg(pcb, (void *)(size_t)port);
    tcp_accept(pcb, on_accepted);
    return 0;
}

/* Takes frames until there is none; how many. */
static int take(struct netif *netif)
{
    static char frame[ROOM];
    int taken = 0;
    for (; taken < BATCH; taken++) {
        ssize_t length = read(tap, frame, sizeof frame);
        if (length <= 0)
            break;
        /* Not PBUF_POOL: the blocks of Debian's pool are shorter than it says. */
        struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
        if (packet == NULL)
            continue;
        pbuf_take(packet, frame, (u16_t)length);
        if (netif->input(packet, netif) != ERR_OK)
            pbuf_free(packet);
    }
    return taken;
}

int main(int count, char **words)
{
    struct ifreq request;
    static struct netif netif;
    ip4_addr_t address, mask, gateway;
    if (count != 3 || !ip4addr_aton(words[2], &address)) {
        fprintf(stderr, "usage: lwip TAP ADDRESS\n");
        return 2;
    }
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, words[1], sizeof request.ifr_name - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0 || ioctl(tap, TUNSETOFFLOAD, 0) < 0) {
        fprintf(stderr, "lwip: %s: %s\n", words[1], strerror(errno));
        return 1;
    }
    lwip_init();
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&gateway);
    netif_add(&netif, &address, &mask, &gateway, NULL, begin, ethernet_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    if (serve(ECHO) || serve(DISCARD) || serve(SOURCE)) {
        fprintf(stderr, "lwip: cannot listen\n");
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int taken = take(&netif);
        sys_check_timeouts();
        if (taken == 0) {
            u32_t left = sys_timeouts_sleeptime();
            struct pollfd wait = {.fd = tap, .events = POLLIN};
            poll(&wait, 1, left > 1000 ? 1000 : (int)left);
        }
    }
}
