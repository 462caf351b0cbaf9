package matrix

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// How the methods stream, as a client has to know it.
var streams = map[string]*grpc.StreamDesc{
	"Join":  {StreamName: "Join", ClientStreams: true},
	"Split": {StreamName: "Split", ServerStreams: true},
	"Chat":  {StreamName: "Chat", ClientStreams: true, ServerStreams: true},
}

// register does what protoc-gen-go-grpc would write.
func register(server *grpc.Server, served *implementation) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			method("Echo"), method("CallBack"), method("Offer"), method("Print"), method("Exit"), method("Version"),
		},
		Streams: []grpc.StreamDesc{
			stream("Join", (*implementation).join),
			stream("Split", (*implementation).split),
			stream("Chat", (*implementation).chat),
		},
	}, served)
}

func method(name string) grpc.MethodDesc {
	handler := func(
		served any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
	) (any, error) {
		request := &wrapperspb.BytesValue{}
		if err := decode(request); err != nil {
			return nil, err
		}
		reply, err := served.(*implementation).call(ctx, name, request.GetValue())
		if err != nil {
			return nil, err
		}
		return wrapperspb.Bytes(reply), nil
	}
	return grpc.MethodDesc{MethodName: name, Handler: handler}
}

func stream(name string, handle func(*implementation, grpc.ServerStream) error) grpc.StreamDesc {
	description := *streams[name]
	description.Handler = func(served any, stream grpc.ServerStream) error {
		return handle(served.(*implementation), stream)
	}
	return description
}
