# Tries every way to the network there is; each must fail.
import ctypes, errno, socket, sys

print("waiting")
sys.stdin.readline()
out = []

def attempt(name, call):
    try:
        out.append((name, call()))
    except OSError as error:
        print(name, "->", error)

def tcp(host):
    s = socket.socket()
    s.settimeout(3)
    s.connect((host, 80))

def udp(host):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.sendto(b"x", (host, 53))
    return s.recv(100)

attempt("tcp on link", lambda: tcp("10.9.0.1"))
attempt("tcp by route", lambda: tcp("198.51.100.2"))
attempt("udp", lambda: udp("198.51.100.2"))
attempt("names", lambda: socket.gethostbyname("www.example.org"))
attempt("broadcast", lambda: udp("255.255.255.255"))
for family, kind in [(socket.AF_INET6, 1), (socket.AF_INET6, 2), (socket.AF_INET, 3), (17, 3), (40, 1)]:
    attempt("family %d kind %d" % (family, kind), lambda: socket.socket(family, kind))
libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(425, 8, 0) != -1 or ctypes.get_errno() != errno.ENOSYS:
    out.append("io_uring")
routes = open("/proc/net/route").readlines()[1:]
if routes:
    out.append(routes)
print("no way out" if not out else out)
