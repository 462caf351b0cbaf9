package drive

import (
	"bytes"
	"context"
	"sync"
)

// transcript keeps all that is written to it, for readers that wait for a text to appear.
type transcript struct {
	mutex   sync.Mutex
	text    []byte
	changed chan struct{} // closed, and replaced, by every write
}

func newTranscript() *transcript {
	return &transcript{changed: make(chan struct{})}
}

func (t *transcript) Write(data []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text = append(t.text, data...)
	close(t.changed)
	t.changed = make(chan struct{})
	return len(data), nil
}

// wait returns all that was written, as soon as that contains wanted, or when ctx ends.
func (t *transcript) wait(ctx context.Context, wanted string) []byte {
	for {
		t.mutex.Lock()
		text, changed := bytes.Clone(t.text), t.changed
		t.mutex.Unlock()
		if bytes.Contains(text, []byte(wanted)) {
			return text
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return text
		}
	}
}
