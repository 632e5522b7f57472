// The guest's end of the network benchmark: a TCP server on port 5000, one connection at a time.
// The client sends a letter and eight bytes (big-endian), and then
//   i: that many bytes, which are thrown away; the answer is one byte
//   o: nothing; the answer is that many bytes
//   p: bytes, each of which is sent back
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 18];

static int read_all(int fd, void *to, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t n = read(fd, (char *)to + done, count - done);
    if (n <= 0) return 0;
    done += n;
  }
  return 1;
}

static int into(int fd, uint64_t count) {
  while (count > 0) {
    ssize_t n = read(fd, buffer, count < sizeof buffer ? count : sizeof buffer);
    if (n <= 0) return 0;
    count -= n;
  }
  return write(fd, "k", 1) == 1;
}

static int out_of(int fd, uint64_t count) {
  while (count > 0) {
    ssize_t n = write(fd, buffer, count < sizeof buffer ? count : sizeof buffer);
    if (n <= 0) return 0;
    count -= n;
  }
  return 1;
}

static void echo(int fd) {
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0 && write(fd, buffer, n) == n) {
  }
}

static void serve(int fd) {
  unsigned char head[9];
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  while (read_all(fd, head, sizeof head)) {
    uint64_t count = 0;
    for (int i = 1; i < 9; i++) count = count << 8 | head[i];
    if (head[0] == 'i' && into(fd, count)) continue;
    if (head[0] == 'o' && out_of(fd, count)) continue;
    if (head[0] == 'p') echo(fd);
    return;
  }
}

int main(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(5000)};
  int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  signal(SIGPIPE, SIG_IGN);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (struct sockaddr *)&here, sizeof here) || listen(server, 16)) {
    perror("netserver");
    return 1;
  }
  puts("@@listening");
  fflush(stdout);
  for (;;) {
    int fd = accept(server, NULL, NULL);
    if (fd >= 0) {
      serve(fd);
      close(fd);
    }
  }
}
