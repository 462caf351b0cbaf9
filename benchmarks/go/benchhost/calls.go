package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"benchpeers/contract"
)

// smallData makes a message of 50 bytes.
const smallData = 48

func smallRequest() *contract.Payload {
	return &contract.Payload{Data: make([]byte, smallData)}
}

// unary makes one call after the other.
func (h *host) unary(seconds float64) (any, error) {
	ctx, request := context.Background(), smallRequest()
	var durations []time.Duration
	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	before := start
	for before.Before(end) {
		if _, err := h.bench.Echo(ctx, request); err != nil {
			return nil, err
		}
		after := time.Now()
		durations = append(durations, after.Sub(before))
		before = after
	}
	count := len(durations)
	slices.Sort(durations)
	return map[string]float64{
		"p50_us":      float64(durations[count/2]) / 1e3,
		"p99_us":      float64(durations[count*99/100]) / 1e3,
		"calls_per_s": float64(count) / before.Sub(start).Seconds(),
	}, nil
}

func (h *host) calls(count int) error {
	ctx, request := context.Background(), smallRequest()
	for range count {
		if _, err := h.bench.Echo(ctx, request); err != nil {
			return err
		}
	}
	return nil
}

// inFlight has so many goroutines call one after the other.
func (h *host) inFlight(calls int, seconds float64) (any, error) {
	ctx, request := context.Background(), smallRequest()
	var group sync.WaitGroup
	var count atomic.Int64
	var failure atomic.Pointer[error]
	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	for range calls {
		group.Go(func() {
			for time.Now().Before(end) {
				if _, err := h.bench.Echo(ctx, request); err != nil {
					failure.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	group.Wait()
	if err := failure.Load(); err != nil {
		return nil, *err
	}
	return map[string]float64{"calls_per_s": float64(count.Load()) / time.Since(start).Seconds()}, nil
}

// large echoes messages of size bytes.
func (h *host) large(size, calls int) (any, error) {
	ctx, request := context.Background(), &contract.Payload{Data: make([]byte, size)}
	start := time.Now()
	for range calls {
		reply, err := h.bench.Echo(ctx, request)
		if err != nil {
			return nil, err
		}
		if len(reply.GetData()) != size {
			return nil, errors.New("the reply is not the request")
		}
	}
	return map[string]float64{"mb_per_s": float64(2*size*calls) / 1e6 / time.Since(start).Seconds()}, nil
}

// stream receives count small messages of one call.
func (h *host) stream(count int) (any, error) {
	start := time.Now()
	stream, err := h.bench.Repeat(context.Background(), &contract.Burst{Count: uint32(count), Data: make([]byte, smallData)})
	if err != nil {
		return nil, err
	}
	received := 0
	for {
		if _, err := stream.Recv(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		received++
	}
	if received != count {
		return nil, errors.New("messages are missing")
	}
	return map[string]float64{"messages_per_s": float64(count) / time.Since(start).Seconds()}, nil
}
