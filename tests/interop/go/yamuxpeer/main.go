// Command yamuxpeer runs one yamux session on a unix socket and does what it reads from stdin, a command per line; it
// answers each with a line, "ok" and perhaps a result, or "error" and its text. Streams of the peer's are echoed, and
// closed when the peer has closed them.
//
//	yamuxpeer client|server PATH
//
//	exchange N SIZE  open N streams at once, write SIZE bytes to each, close, and read the same back
//	greet            open a stream, write "hello", close, and read the answer
//	fill             open a stream nobody echoes, and write until the peer holds it up; the result is how much went out
//	hold             echo no stream of the peer's that comes from now on
//	release          echo those that were held
//	ping             ask the peer for an answer
//	streams          how many streams there are
//	goaway           take no more streams
//	open             open a stream and close it
//	quit             end the session
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

type peer struct {
	session *yamux.Session
	mutex   sync.Mutex
	gate    chan struct{} // closed when streams are echoed
}

func connect(role, path string) (*yamux.Session, error) {
	config := yamux.DefaultConfig()
	config.LogOutput = os.Stderr
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	if role == "client" {
		return yamux.Client(conn, config)
	}
	return yamux.Server(conn, config)
}

func (p *peer) accept() {
	for {
		stream, err := p.session.AcceptStream()
		if err != nil {
			return
		}
		p.mutex.Lock()
		gate := p.gate
		p.mutex.Unlock()
		go func() {
			<-gate
			io.Copy(stream, stream)
			stream.Close()
		}()
	}
}

// exchange sends size bytes on a stream of its own and wants them back.
func (p *peer) exchange(number, size int) error {
	stream, err := p.session.OpenStream()
	if err != nil {
		return err
	}
	data := bytes.Repeat([]byte{byte('a' + number%26)}, size)
	written := make(chan error, 1)
	go func() {
		_, err := stream.Write(data)
		stream.Close()
		written <- err
	}()
	echo, err := io.ReadAll(stream)
	if err := errors.Join(err, <-written); err != nil {
		return err
	}
	if !bytes.Equal(echo, data) {
		return fmt.Errorf("stream %d: %d bytes came back for %d", stream.StreamID(), len(echo), size)
	}
	return nil
}

func (p *peer) exchangeAll(count, size int) error {
	results := make(chan error, count)
	for number := range count {
		go func() { results <- p.exchange(number, size) }()
	}
	var err error
	for range count {
		err = errors.Join(err, <-results)
	}
	return err
}

func (p *peer) greet() (string, error) {
	stream, err := p.session.OpenStream()
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(stream, "hello"); err != nil {
		return "", err
	}
	if err := stream.Close(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(stream)
	return string(answer), err
}

func (p *peer) fill() (string, error) {
	stream, err := p.session.OpenStream()
	if err != nil {
		return "", err
	}
	total := 0
	for {
		stream.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := stream.Write(make([]byte, 1000))
		total += n
		if errors.Is(err, yamux.ErrTimeout) {
			return strconv.Itoa(total), stream.Close()
		} else if err != nil {
			return "", err
		}
	}
}

func (p *peer) setGate(open bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if open {
		close(p.gate)
	} else {
		p.gate = make(chan struct{})
	}
}

func (p *peer) do(words []string) (string, error) {
	switch words[0] {
	case "exchange":
		count, _ := strconv.Atoi(words[1])
		size, _ := strconv.Atoi(words[2])
		return "", p.exchangeAll(count, size)
	case "greet":
		return p.greet()
	case "fill":
		return p.fill()
	case "hold":
		p.setGate(false)
		return "", nil
	case "release":
		p.setGate(true)
		return "", nil
	case "ping":
		_, err := p.session.Ping()
		return "", err
	case "streams":
		return strconv.Itoa(p.session.NumStreams()), nil
	case "goaway":
		return "", p.session.GoAway()
	case "open":
		stream, err := p.session.OpenStream()
		if err != nil {
			return "", err
		}
		return "", stream.Close()
	case "quit":
		return "", p.session.Close()
	}
	return "", fmt.Errorf("unknown command %q", words[0])
}

func main() {
	session, err := connect(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := &peer{session: session, gate: make(chan struct{})}
	p.setGate(true)
	go p.accept()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		result, err := p.do(strings.Fields(lines.Text()))
		if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Println(strings.TrimSpace("ok " + result))
		}
	}
}
