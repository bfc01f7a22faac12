package cli

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// door lets in who may give commands, and so many at a time: whoever holds connections
// open must not leave the mount without descriptors. Others are shown out, and take
// nobody's place.
type door struct {
	net.Listener
	room chan struct{} // has an element for each who is in
}

// atATime is how many connections of commands there may be of so many open files.
func atATime(files uint64) int { return int(min(max(files/8, 4), 256)) }

// Accept waits until there is room, and for somebody who may come in.
func (d *door) Accept() (net.Conn, error) {
	d.room <- struct{}{}
	for {
		conn, err := d.Listener.Accept()
		switch {
		case err != nil:
			<-d.room
			return nil, err
		case allowed(peer(conn).uid):
			return &visitor{Conn: conn, leave: sync.OnceFunc(func() { <-d.room })}, nil
		}
		refuse(conn)
	}
}

// refuse tells somebody that this is another user's mount, and waits for no answer.
func refuse(conn net.Conn) {
	text := errOtherUser.Error() + "\n"
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // who has gone needs no answer
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	conn.Close()
}

// visitor is the connection of somebody who is in.
type visitor struct {
	net.Conn
	leave func()
}

// Close makes room.
func (v *visitor) Close() error {
	defer v.leave()
	return v.Conn.Close()
}
