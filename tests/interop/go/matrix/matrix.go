// Package matrix is a contract with one method for each thing that go-plugin carries, for a host and for a plugin.
//
// All messages are google.protobuf.BytesValue, so the contract needs no generated code: a method is its path and the
// direction of its streams. Both sides serve it, the plugin on its main connection and each side on brokered ones.
//
//	Echo      the request, as it came
//	Join      (requests: stream) all of them as one
//	Split     (replies: stream) each line of the request
//	Chat      (both: stream) each request, at once
//	CallBack  "ID TEXT": dials ID at the caller's side, and answers what Echo says there to TEXT
//	Offer     accepts an id, serves this contract there, and answers the id
//	Print     "stdout TEXT" or "stderr TEXT": prints it
//	Exit      "CODE": the process ends, and there is no answer
//	Version   the protocol version that was negotiated
package matrix

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// DispenseName is the service's name in the plugin set.
const DispenseName = "matrix"

const service = "matrix.v1.Matrix"

// largestMessage is more than gRPC's own limit, which is 4 MiB.
const largestMessage = 64 << 20

// Handshake is what host and plugin agree on; the versions are in Plugins.
var Handshake = plugin.HandshakeConfig{
	MagicCookieKey:   "MATRIX_PLUGIN",
	MagicCookieValue: "hello",
}

// Plugins is the versioned plugin set for a comma-separated list of versions.
func Plugins(versions string) (map[int]plugin.PluginSet, error) {
	sets := map[int]plugin.PluginSet{}
	for _, text := range strings.Split(versions, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("versions %q: %w", versions, err)
		}
		sets[version] = plugin.PluginSet{DispenseName: &grpcPlugin{version: version}}
	}
	return sets, nil
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	version int
}

func (p *grpcPlugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	register(server, &implementation{broker: broker, version: p.version})
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &Client{broker: broker, conn: conn}, nil
}

// NewServer is a server for large messages.
func NewServer(options []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(largestMessage))...)
}

// Client calls the other side's service.
type Client struct {
	broker *plugin.GRPCBroker
	conn   *grpc.ClientConn
}

// Call calls a method whose request and reply are one message each.
func (c *Client) Call(ctx context.Context, method string, request []byte) ([]byte, error) {
	reply := &wrapperspb.BytesValue{}
	if err := c.conn.Invoke(ctx, "/"+service+"/"+method, wrapperspb.Bytes(request), reply); err != nil {
		return nil, err
	}
	return reply.GetValue(), nil
}

// Stream calls a method that streams. It waits for a reply to each request if the method is Chat.
func (c *Client) Stream(ctx context.Context, method string, requests []string) ([]string, error) {
	stream, err := c.conn.NewStream(ctx, streams[method], "/"+service+"/"+method)
	if err != nil {
		return nil, err
	}
	replies := []string{}
	receive := func() error {
		reply := &wrapperspb.BytesValue{}
		if err := stream.RecvMsg(reply); err != nil {
			return err
		}
		replies = append(replies, string(reply.GetValue()))
		return nil
	}
	for _, request := range requests {
		if err := stream.SendMsg(wrapperspb.Bytes([]byte(request))); err != nil {
			return nil, err
		}
		if method == "Chat" {
			if err := receive(); err != nil {
				return nil, err
			}
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	for {
		if err := receive(); err == io.EOF {
			return replies, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// CallBack serves the contract to the other side while that calls it, `times` times, and returns the last answer.
func (c *Client) CallBack(ctx context.Context, text string, times int) (answer []byte, err error) {
	id := c.broker.NextId()
	stop := serve(c.broker, id)
	defer stop()
	for range times {
		if answer, err = c.Call(ctx, "CallBack", fmt.Appendf(nil, "%d %s", id, text)); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// Offered calls Echo on a connection that the other side offers.
func (c *Client) Offered(ctx context.Context, text string) ([]byte, error) {
	id, err := c.Call(ctx, "Offer", nil)
	if err != nil {
		return nil, err
	}
	return echo(ctx, c.broker, string(id), text)
}

func echo(ctx context.Context, broker *plugin.GRPCBroker, id, text string) ([]byte, error) {
	number, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return nil, err
	}
	conn, err := broker.Dial(uint32(number))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return (&Client{broker: broker, conn: conn}).Call(ctx, "Echo", []byte(text))
}

// serve accepts id and serves the contract there, until the function that it returns is called.
//
// It returns once there is a listener. AcceptAndServe by itself answers a knock that comes before it has one, which a
// plugin that multiplexes does not survive: "received knock on ID 1 that doesn't have a listener".
func serve(broker *plugin.GRPCBroker, id uint32) func() {
	server := make(chan *grpc.Server, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
			s := NewServer(options)
			register(s, &implementation{broker: broker})
			server <- s
			return s
		})
	}()
	select {
	case s := <-server:
		return s.Stop
	case <-ended: // it could not be accepted
		return func() {}
	}
}

type implementation struct {
	broker  *plugin.GRPCBroker
	version int
}

func (i *implementation) call(ctx context.Context, method string, request []byte) ([]byte, error) {
	first, rest, _ := strings.Cut(string(request), " ")
	switch method {
	case "Echo":
		return request, nil
	case "CallBack":
		return echo(ctx, i.broker, first, rest)
	case "Offer":
		id := i.broker.NextId()
		serve(i.broker, id)
		return fmt.Append(nil, id), nil
	case "Print":
		if first == "stderr" {
			fmt.Fprint(os.Stderr, rest)
		} else {
			fmt.Fprint(os.Stdout, rest)
		}
		return nil, nil
	case "Exit":
		code, _ := strconv.Atoi(first)
		os.Exit(code)
	case "Version":
		return fmt.Append(nil, i.version), nil
	}
	return nil, status.Errorf(codes.Unimplemented, "unknown method %s", method)
}

func (i *implementation) join(stream grpc.ServerStream) error {
	var all []byte
	for {
		request := &wrapperspb.BytesValue{}
		if err := stream.RecvMsg(request); err == io.EOF {
			return stream.SendMsg(wrapperspb.Bytes(all))
		} else if err != nil {
			return err
		}
		all = append(all, request.GetValue()...)
	}
}

func (i *implementation) split(stream grpc.ServerStream) error {
	request := &wrapperspb.BytesValue{}
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	for _, line := range bytes.Split(request.GetValue(), []byte("\n")) {
		if err := stream.SendMsg(wrapperspb.Bytes(line)); err != nil {
			return err
		}
	}
	return nil
}

func (i *implementation) chat(stream grpc.ServerStream) error {
	for {
		message := &wrapperspb.BytesValue{}
		if err := stream.RecvMsg(message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}
