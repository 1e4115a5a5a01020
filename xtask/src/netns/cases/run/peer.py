# kernel side: 9001 echo; 9002 sends 'x' then RST; 9003 reads until EOF then answers the count; 9004 RST after reading 1 byte
import socket,struct,threading
def serve(port,f):
    s=socket.socket(); s.setsockopt(1,2,1); s.bind(('10.9.0.1',port)); s.listen(100)
    def loop():
        while True:
            c,_=s.accept(); threading.Thread(target=f,args=(c,),daemon=True).start()
    threading.Thread(target=loop,daemon=True).start()
def echo(c):
    while True:
        d=c.recv(65536)
        if not d: break
        c.sendall(d)
    c.close()
def rst(c): c.send(b'x'); c.setsockopt(1,13,struct.pack('ii',1,0)); c.close()
def count(c):
    n=0
    while True:
        d=c.recv(65536)
        if not d: break
        n+=len(d)
    c.sendall(b'%d'%n); c.close()
def rst1(c): c.recv(1); c.setsockopt(1,13,struct.pack('ii',1,0)); c.close()
serve(9001,echo); serve(9002,rst); serve(9003,count); serve(9004,rst1)
u=socket.socket(2,2); u.bind(('10.9.0.1',9001))
print('ready',flush=True)
while True:
    d,a=u.recvfrom(65536); u.sendto(d,a)
