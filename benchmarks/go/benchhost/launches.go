package main

import (
	"context"
	"os/exec"
	"time"

	"benchpeers/contract"

	"google.golang.org/protobuf/types/known/emptypb"
)

// open launches further plugins, connects to each and calls it once.
func (h *host) open(count int) (any, error) {
	var pids []int
	for range count {
		client, connection, err := launch(h.command, cookie, h.transport)
		if err != nil {
			return nil, err
		}
		if _, err := contract.NewBenchClient(connection).Echo(context.Background(), smallRequest()); err != nil {
			return nil, err
		}
		pids = append(pids, pid(client))
	}
	return map[string]any{"pids": pids}, nil
}

// run takes the time of a program that ends by itself.
func run(command []string) (any, error) {
	start := time.Now()
	if err := exec.Command(command[0], command[1:]...).Run(); err != nil {
		return nil, err
	}
	return milliseconds(time.Since(start)), nil
}

// spawn takes the time from a plugin's launch to its first reply. The request is an empty message, and so may go to
// any method that answers one; what is in the reply does not matter.
func spawn(command []string, cookie, path string) (any, error) {
	start := time.Now()
	client, connection, err := launch(command, cookie, transport{})
	if err != nil {
		return nil, err
	}
	defer client.Kill()
	if err := connection.Invoke(context.Background(), path, &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
		return nil, err
	}
	return milliseconds(time.Since(start)), nil
}

func milliseconds(duration time.Duration) map[string]float64 {
	return map[string]float64{"ms": float64(duration) / 1e6}
}
