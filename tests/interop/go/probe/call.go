package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// streams has the kinds of the methods; what is not here is unary.
var streams = map[string]grpc.StreamDesc{
	"ServerStream": {ServerStreams: true},
	"ClientStream": {ClientStreams: true},
	"BidiStream":   {ClientStreams: true, ServerStreams: true},
	"Hold":         {ServerStreams: true},
}

// obey makes the calls of each line at the same time, and writes their outcomes.
func obey(input io.Reader, output io.Writer) error {
	decoder, encoder := json.NewDecoder(input), json.NewEncoder(output)
	connections := map[string]*grpc.ClientConn{}
	for {
		var line order
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		connection := connections[line.Target]
		if connection == nil {
			var err error
			if connection, err = connect(line.Target, line.Certificate); err != nil {
				return err
			}
			connections[line.Target] = connection
		}
		outcomes := make([]outcome, len(line.Calls))
		var group sync.WaitGroup
		for i, call := range line.Calls {
			group.Go(func() { outcomes[i] = call.make(connection) })
		}
		group.Wait()
		if err := encoder.Encode(outcomes); err != nil {
			return err
		}
	}
}

func connect(target, certificate string) (*grpc.ClientConn, error) {
	security := insecure.NewCredentials()
	if certificate != "" {
		var err error
		if security, err = credentials.NewClientTLSFromFile(certificate, "localhost"); err != nil {
			return nil, err
		}
	}
	limits := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(noLimit), grpc.MaxCallSendMsgSize(noLimit))
	return grpc.NewClient(target, grpc.WithTransportCredentials(security), limits)
}

func (c call) make(connection *grpc.ClientConn) outcome {
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(context.Background(), c.Metadata.metadata()))
	defer cancel()
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Timeout*float64(time.Second)))
		defer cancel()
	}
	var result outcome
	var err error
	if kind, ok := streams[path.Base(c.Path)]; ok {
		err = c.stream(ctx, cancel, connection, &kind, &result)
	} else {
		err = c.unary(ctx, connection, &result)
	}
	end := status.Convert(err)
	result.Code, result.Message = int(end.Code()), end.Message()
	for _, detail := range end.Details() {
		result.Details = append(result.Details, detail.(*wrapperspb.StringValue).Value)
	}
	return result
}

func (c call) unary(ctx context.Context, connection *grpc.ClientConn, result *outcome) error {
	var reply message
	var initial, trailing metadata.MD
	request := &message{Value: c.Requests[0]}
	err := connection.Invoke(ctx, c.Path, request, &reply, grpc.Header(&initial), grpc.Trailer(&trailing))
	if err == nil {
		result.Replies = append(result.Replies, reply.Value)
	}
	result.Initial, result.Trailing = pairsOf(initial), pairsOf(trailing)
	return err
}

func (c call) stream(
	ctx context.Context, cancel func(), connection *grpc.ClientConn, kind *grpc.StreamDesc, result *outcome,
) error {
	stream, err := connection.NewStream(ctx, kind, c.Path)
	if err != nil {
		return err
	}
	for _, request := range c.Requests {
		if err := stream.SendMsg(&message{Value: request}); err != nil {
			break // what is wrong is what RecvMsg says
		}
		if kind.ClientStreams && kind.ServerStreams {
			if err = receive(stream, result); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = stream.CloseSend()
	}
	for err == nil {
		if c.CancelAfter > 0 && len(result.Replies) == c.CancelAfter {
			cancel()
		}
		err = receive(stream, result)
	}
	initial, headerError := stream.Header()
	if headerError == nil {
		result.Initial = pairsOf(initial)
	}
	result.Trailing = pairsOf(stream.Trailer())
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func receive(stream grpc.ClientStream, result *outcome) error {
	var reply message
	if err := stream.RecvMsg(&reply); err != nil {
		return err
	}
	result.Replies = append(result.Replies, reply.Value)
	return nil
}
