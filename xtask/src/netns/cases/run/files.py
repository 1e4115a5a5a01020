# An HTTP server that serves a folder and stores what is put there.
import http.server, os, shutil, sys

class Files(http.server.SimpleHTTPRequestHandler):
    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        with open(os.path.join(sys.argv[2], os.path.basename(self.path)), "wb") as file:
            while left:
                piece = self.rfile.read(min(left, 1 << 20))
                file.write(piece)
                left -= len(piece)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

os.chdir(sys.argv[2])
server = http.server.ThreadingHTTPServer((sys.argv[1], 8000), Files)
print("serving", flush=True)
server.serve_forever()
