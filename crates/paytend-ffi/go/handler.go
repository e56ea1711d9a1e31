package paytend

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// HandlerOptions bounds what senders can use of a Handler; zero values for the defaults.
type HandlerOptions struct {
	// BodyTimeout is the time for a whole body to arrive (10 s).
	BodyTimeout time.Duration
	// MaxConcurrent is the largest number of notifications that are verified and handled at once (64).
	MaxConcurrent int
	// QueueTimeout is how long a notification waits for its turn before it is answered 503 (10 s).
	QueueTimeout time.Duration
	// Refused is called for every notification that is not taken, with the reason. The sender is never told.
	Refused func(*http.Request, error)
}

// The reasons of a Handler that are none of the library's.
var (
	// ErrBodyTimeout means that the body did not arrive in time.
	ErrBodyTimeout = errors.New("paytend: the body did not arrive in time")
	// ErrOverloaded means that too many notifications were handled at once for too long.
	ErrOverloaded = errors.New("paytend: too many notifications at once")
)

func (o HandlerOptions) withDefaults() HandlerOptions {
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = 10 * time.Second
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = 64
	}
	if o.QueueTimeout <= 0 {
		o.QueueTimeout = 10 * time.Second
	}
	if o.Refused == nil {
		o.Refused = func(*http.Request, error) {}
	}
	return o
}

// readBody reads a body within a time, whatever wraps the writer of the server.
func readBody(w http.ResponseWriter, body io.Reader, timeout time.Duration) ([]byte, error) {
	// The connection's deadline ends a read that waits. A server has its own for the next request.
	connection := http.NewResponseController(w)
	if connection.SetReadDeadline(time.Now().Add(timeout)) == nil {
		read, err := io.ReadAll(body)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, ErrBodyTimeout
		}
		_ = connection.SetReadDeadline(time.Time{})
		return read, err
	}
	// A writer without deadlines: the read goes on by itself until the server closes the body.
	type result struct {
		read []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		read, err := io.ReadAll(body)
		done <- result{read, err}
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case all := <-done:
		return all.read, all.err
	case <-timer.C:
		return nil, ErrBodyTimeout
	}
}

// Handler serves a route: it verifies, passes what is authentic to take, and answers. Bodies that arrive slowly are
// answered 408, and notifications beyond the bound 503. Bound the number of connections and the time for their headers
// at the server.
func (r *Receiver) Handler(take func(*http.Request, *Received) Reply, options HandlerOptions) http.Handler {
	options = options.withDefaults()
	refused := options.Refused
	slots := make(chan struct{}, options.MaxConcurrent)
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			refused(request, usage(fmt.Sprintf("the method is %.16q; notifications are sent by POST", request.Method)))
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		body, err := readBody(w, http.MaxBytesReader(w, request.Body, r.limit), options.BodyTimeout)
		var tooLarge *http.MaxBytesError
		switch {
		case errors.Is(err, ErrBodyTimeout):
			refused(request, err)
			w.Header().Set("Connection", "close")
			http.Error(w, "the body did not arrive in time", http.StatusRequestTimeout)
			return
		case errors.As(err, &tooLarge):
			message := fmt.Sprintf("the body is larger than the receiver's limit, Limits.MaxBytes, of %d bytes", r.limit)
			refused(request, &Error{Code: Malformed, Name: ErrMalformed.Name, Message: message})
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			refused(request, err)
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		turn := time.NewTimer(options.QueueTimeout)
		defer turn.Stop()
		select {
		case slots <- struct{}{}:
			// Whatever take does, a panic included.
			defer func() { <-slots }()
		case <-turn.C:
			refused(request, ErrOverloaded)
			w.Header().Set("Retry-After", "60")
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		case <-request.Context().Done():
			refused(request, request.Context().Err())
			return
		}
		received, toSend, err := r.Receive(request.Header, body, time.Now())
		if err == nil {
			toSend, err = r.Answer(take(request, received))
		}
		if err != nil {
			refused(request, err)
		}
		if toSend == nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		_ = toSend.Write(w)
	})
}
