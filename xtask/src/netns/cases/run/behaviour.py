import socket,select,os,errno,signal,time,struct,sys
H='10.9.0.1'
ok=0
def check(name,c,info=''):
    global ok
    print(('ok   ' if c else 'FAIL ')+name, info if not c else '', flush=True)
# nonblocking connect, epoll registered before
s=socket.socket(); s.setblocking(False); ep=select.epoll(); ep.register(s,select.EPOLLIN|select.EPOLLOUT|select.EPOLLET)
r=s.connect_ex((H,9001)); check('EINPROGRESS',r==errno.EINPROGRESS,r)
ev=ep.poll(5); check('writable by ET epoll registered before',ev and ev[0][1]&select.EPOLLOUT,ev)
check('SO_ERROR 0',s.getsockopt(1,4)==0); check('getpeername',s.getpeername()==(H,9001)); check('getsockname',s.getsockname()[0]=='10.9.0.2')
check('second connect 0 then EISCONN', [s.connect_ex((H,9001)),s.connect_ex((H,9001))]==[0,errno.EISCONN])
s.send(b'hello'); select.select([s],[],[],5); check('echo',s.recv(100)==b'hello')
# not writable before connected
s=socket.socket(); s.setblocking(False); r=s.connect_ex(('10.9.0.%d'%(20+os.getpid()%200),9)); 
check('unanswered: not writable', select.select([],[s],[],0.3)[1]==[], r)
try: s.send(b'x'); check('EAGAIN before',False)
except BlockingIOError: check('EAGAIN before',True)
s.close()
# refused
s=socket.socket()
try: s.connect((H,1)); check('refused',False)
except ConnectionRefusedError: check('refused blocking',True)
r=s.connect_ex((H,9001)); check('retry same socket',r==0,r)
s=socket.socket(); s.setblocking(False); s.connect_ex((H,1)); p=select.poll(); p.register(s,select.POLLOUT|select.POLLIN)
# The kernel says that a pair hung up a moment before it says that its buffer is free.
ev=p.poll(5000); end=time.time()+5
while ev and not ev[0][1]&select.POLLOUT and time.time()<end: ev=p.poll(5000)
check('refused nonblocking: poll', ev and ev[0][1]&(select.POLLOUT) and ev[0][1]&select.POLLHUP, ev); e=s.getsockopt(1,4); check('SO_ERROR refused',e==errno.ECONNREFUSED,e); check('told once', s.getsockopt(1,4)==0)
# RST
s=socket.create_connection((H,9002)); time.sleep(0.3); check('data before RST',s.recv(10)==b'x')
try: d=s.recv(10); check('RST',False,d)
except ConnectionResetError: check('RST -> ECONNRESET',True)
s=socket.create_connection((H,9004)); s.send(b'abc')
try: d=s.recv(10); check('RST in recv',False,d)
except ConnectionResetError: check('RST in blocked recv',True)
# half close
s=socket.create_connection((H,9003)); s.sendall(b'y'*3000000); s.shutdown(1); check('half-close', s.recv(100)==b'3000000'); check('EOF',s.recv(1)==b'')
# nodelay, bufs
s=socket.create_connection((H,9001)); s.setsockopt(6,1,1); check('nodelay',s.getsockopt(6,1)==1); s.setsockopt(1,8,100000); check('rcvbuf',s.getsockopt(1,8)>=100000,s.getsockopt(1,8))
check('congestion', b'cubic' in s.getsockopt(6,13,16), s.getsockopt(6,13,16)); check('type',s.getsockopt(1,3)==1)
s.settimeout(0.2)
try: s.recv(1); check('timeout',False)
except socket.timeout: check('timeout',True)
s.setblocking(True); s.setsockopt(1,20,struct.pack('qq',0,200000))
try: s.recv(1); check('SO_RCVTIMEO',False)
except BlockingIOError: check('SO_RCVTIMEO native',True)
d=os.dup(s.fileno()); s2=socket.socket(fileno=d); check('dup',s2.getpeername()==(H,9001)); s.close(); s2.settimeout(5); s2.send(b'q'); check('dup echo',s2.recv(1)==b'q')
# listener, loopback, fork
l=socket.socket(); l.setsockopt(1,2,1); l.bind(('127.0.0.1',5000)); l.listen(10); check('sockname',l.getsockname()==('127.0.0.1',5000))
c=[socket.create_connection(('127.0.0.1',5000)) for _ in range(5)]
pid=os.fork()
if pid==0:
    for _ in range(3):
        a,_=l.accept(); a.sendall(b'child'); a.close()
    os._exit(0)
for _ in range(2):
    a,_=l.accept(); a.sendall(b'parent'); a.close()
os.waitpid(pid,0)
got=sorted(x.recv(10) for x in c); check('shared accept',got==[b'child']*3+[b'parent']*2,got)
l.setblocking(False)
try: l.accept(); check('accept EAGAIN',False)
except BlockingIOError: check('accept EAGAIN',True)
check('listener not readable',select.select([l],[],[],0)[0]==[])
c=socket.create_connection(('127.0.0.1',5000)); check('listener readable',select.select([l],[],[],5)[0]==[l]); a,ad=l.accept(); check('accept addr',ad==c.getsockname()); check('not readable after',select.select([l],[],[],0)[0]==[])
# accepted inherits blocking: python sets; interrupted accept
l.setblocking(True); n=[0]
signal.signal(signal.SIGALRM,lambda *a:n.__setitem__(0,n[0]+1)); signal.setitimer(signal.ITIMER_REAL,0.05,0.05)
import threading
threading.Thread(target=lambda:(time.sleep(0.5),c.__class__ and socket.create_connection(('127.0.0.1',5000))),daemon=True).start()
a,_=l.accept(); signal.setitimer(signal.ITIMER_REAL,0); check('accept with signals',n[0]>3,n)
# bind in use
l2=socket.socket()
try: l2.bind(('127.0.0.1',5000)); l2.listen(); check('EADDRINUSE',False)
except OSError as e: check('EADDRINUSE',e.errno==errno.EADDRINUSE,e)
a1=socket.socket(); a1.setsockopt(1,15,1); a1.bind(('0.0.0.0',5001)); a1.listen(); a2=socket.socket(); a2.setsockopt(1,15,1)
try: a2.bind(('0.0.0.0',5001)); a2.listen(); check('REUSEPORT',True)
except OSError as e: check('REUSEPORT',False,e)
# UDP
u=socket.socket(2,2); u.sendto(b'ping',(H,9001)); u.settimeout(3); check('udp echo',u.recvfrom(100)==(b'ping',(H,9001)))
u.sendto(b'',(H,9001)); check('udp empty',u.recvfrom(100)[0]==b'')
u.sendmsg([b'ab',b'cd'],[],0,(H,9001)); check('udp sendmsg/recvmsg',u.recvmsg(100)[0::3]==(b'abcd',(H,9001)))
u.sendto(b'longer',(H,9001)); r=u.recvmsg(3); check('trunc',r[0]==b'lon' and r[2]&socket.MSG_TRUNC,r)
for i in range(5): u.sendto(b'%d'%i,(H,9001))
check('udp order',[u.recv(10) for i in range(5)]==[b'0',b'1',b'2',b'3',b'4'])
u.sendto(b'pk',(H,9001)); check('peek',u.recvfrom(10,socket.MSG_PEEK)[0]==b'pk' and u.recvfrom(10)[0]==b'pk')
u.connect((H,9001)); u.send(b'conn'); check('udp connected',u.recv(10)==b'conn'); check('udp peer',u.getpeername()==(H,9001))
u.send(b'c2'); check('udp connected recvfrom',u.recvfrom(10)==(b'c2',(H,9001)))
v=socket.socket(2,2); v.connect((H,2)); v.send(b'x'); v.settimeout(2)
try: v.recvfrom(10); check('udp refused',False)
except ConnectionRefusedError: check('udp refused',True)
except Exception as e: check('udp refused',False,repr(e))
b=socket.socket(2,2); b.bind(('0.0.0.0',5353)); w=socket.socket(2,2); w.sendto(b'lo',('127.0.0.1',5353)); check('udp loopback',b.recvfrom(10)[0]==b'lo')
b.settimeout(0.1)
try: b.recvfrom(1); check('udp timeout',False)
except socket.timeout: check('udp timeout',True)
b.settimeout(None); b.setsockopt(1,20,struct.pack('qq',0,100000)); t=time.time()
try: b.recvfrom(1); check('udp RCVTIMEO',False)
except BlockingIOError: check('udp RCVTIMEO',0.05<time.time()-t<2)
big=b'z'*60000; u.send(big); check('udp 60000',u.recv(65536)==big)
# refused families
for f,t,e in [(socket.AF_INET6,1,errno.EAFNOSUPPORT),(2,3,errno.EPERM),(17,3,errno.EPERM),(40,1,errno.EPERM)]:
    try: socket.socket(f,t); check('family %d'%f,False)
    except OSError as x: check('family %d'%f,x.errno==e,x)
import ctypes; libc=ctypes.CDLL(None,use_errno=True); r=libc.syscall(425,8,0); check('io_uring ENOSYS',ctypes.get_errno()==errno.ENOSYS)
check('no inet fds', not open('/proc/net/tcp').readlines()[1:])
# many
cs=[socket.create_connection((H,9001)) for _ in range(300)]
for x in cs: x.send(b'm')
check('300 connections',all(x.recv(1)==b'm' for x in cs))
# unread close -> RST at the peer
for x in cs: x.close()
sp=socket.socketpair(); sp[0].send(b'u'); check('AF_UNIX untouched',sp[1].recvmsg(10)[0]==b'u')
print('all done')
