package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const patience = 10 * time.Second

// serve listens on the socket, and with TLS on a port of its own choice, which it prints.
func serve(socket, certificate, key string) error {
	security, err := credentials.NewServerTLSFromFile(certificate, key)
	if err != nil {
		return err
	}
	plain, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	probe := &probe{over: map[string]chan struct{}{}}
	limits := []grpc.ServerOption{grpc.MaxRecvMsgSize(noLimit), grpc.MaxSendMsgSize(noLimit)}
	servers := []*grpc.Server{grpc.NewServer(limits...), grpc.NewServer(append(limits, grpc.Creds(security))...)}
	for i, listener := range []net.Listener{plain, secure} {
		servers[i].RegisterService(&description, probe)
		go servers[i].Serve(listener)
		defer servers[i].Stop()
	}
	fmt.Println(secure.Addr().(*net.TCPAddr).Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// script is what a call's metadata say about its answer.
type script struct {
	initial, trailing metadata.MD
	end               error
}

func scriptOf(ctx context.Context) script {
	md, _ := metadata.FromIncomingContext(ctx)
	first := func(key string) string {
		if values := md.Get(key); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	result := script{initial: metadata.MD{}, trailing: metadata.MD{}}
	for _, suffix := range []string{"", "-bin"} {
		result.initial.Append("initial"+suffix, md.Get("initial"+suffix)...)
		result.trailing.Append("trailing"+suffix, md.Get("trailing"+suffix)...)
	}
	if code, err := strconv.Atoi(first("status")); err == nil {
		end := status.New(codes.Code(code), first("status-message-bin"))
		if detail := first("status-detail"); detail != "" {
			end, _ = end.WithDetails(wrapperspb.String(detail))
		}
		result.end = end.Err()
	}
	return result
}

type probe struct {
	lock sync.Mutex
	over map[string]chan struct{} // by the request of Hold
}

func (p *probe) whenOver(key []byte) chan struct{} {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.over[string(key)] == nil {
		p.over[string(key)] = make(chan struct{})
	}
	return p.over[string(key)]
}

// --- unary methods ---

func (p *probe) unary(ctx context.Context, request []byte) ([]byte, error) {
	return request, nil
}

func (p *probe) wait(ctx context.Context, request []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

func (p *probe) ended(ctx context.Context, request []byte) ([]byte, error) {
	select {
	case <-p.whenOver(request):
		return request, nil
	case <-time.After(patience):
		return nil, status.Errorf(codes.FailedPrecondition, "%s goes on", request)
	}
}

func (p *probe) remaining(ctx context.Context, request []byte) ([]byte, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return []byte("for ever"), nil
	}
	return strconv.AppendInt(nil, time.Until(deadline).Milliseconds(), 10), nil
}

// --- streams ---

func (p *probe) serverStream(stream grpc.ServerStream) error {
	request, err := receiveFrom(stream)
	if err != nil {
		return err
	}
	for part := range bytes.SplitSeq(request, []byte("\n")) {
		if err := stream.SendMsg(&message{Value: part}); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) clientStream(stream grpc.ServerStream) error {
	var all []byte
	for {
		request, err := receiveFrom(stream)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		all = append(all, request...)
	}
	if end := scriptOf(stream.Context()).end; end != nil {
		return end
	}
	return stream.SendMsg(&message{Value: all})
}

func (p *probe) bidiStream(stream grpc.ServerStream) error {
	for {
		request, err := receiveFrom(stream)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(&message{Value: request}); err != nil {
			return err
		}
	}
}

func (p *probe) hold(stream grpc.ServerStream) error {
	request, err := receiveFrom(stream)
	if err != nil {
		return err
	}
	defer close(p.whenOver(request))
	if err := stream.SendMsg(&message{Value: request}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return status.FromContextError(stream.Context().Err()).Err()
}

func receiveFrom(stream grpc.ServerStream) ([]byte, error) {
	var request message
	err := stream.RecvMsg(&request)
	return request.Value, err
}

// --- what gRPC's code generator would write ---

var description = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		unaryMethod("Unary", (*probe).unary),
		unaryMethod("Wait", (*probe).wait),
		unaryMethod("Ended", (*probe).ended),
		unaryMethod("Remaining", (*probe).remaining),
	},
	Streams: []grpc.StreamDesc{
		streamMethod("ServerStream", (*probe).serverStream),
		streamMethod("ClientStream", (*probe).clientStream),
		streamMethod("BidiStream", (*probe).bidiStream),
		streamMethod("Hold", (*probe).hold),
	},
}

func unaryMethod(name string, method func(*probe, context.Context, []byte) ([]byte, error)) grpc.MethodDesc {
	handler := func(
		server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
	) (any, error) {
		var request message
		if err := decode(&request); err != nil {
			return nil, err
		}
		script := scriptOf(ctx)
		if err := errors.Join(grpc.SetHeader(ctx, script.initial), grpc.SetTrailer(ctx, script.trailing)); err != nil {
			return nil, err
		}
		reply, err := method(server.(*probe), ctx, request.Value)
		if err == nil {
			err = script.end
		}
		return &message{Value: reply}, err
	}
	return grpc.MethodDesc{MethodName: name, Handler: handler}
}

func streamMethod(name string, method func(*probe, grpc.ServerStream) error) grpc.StreamDesc {
	description := streams[name]
	description.StreamName = name
	description.Handler = func(server any, stream grpc.ServerStream) error {
		script := scriptOf(stream.Context())
		stream.SetTrailer(script.trailing)
		if err := stream.SetHeader(script.initial); err != nil {
			return err
		}
		if err := method(server.(*probe), stream); err != nil {
			return err
		}
		return script.end
	}
	return description
}
