package paytend

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// HandlerOptions configures a handler and limits the resources that senders can use. Zero values mean the defaults.
type HandlerOptions struct {
	// BodyTimeout is the maximum time to receive a complete body (default: 10 s).
	BodyTimeout time.Duration
	// MaxConcurrent is the maximum number of notifications that are verified and handled concurrently (default: 64).
	MaxConcurrent int
	// QueueTimeout is the maximum time that a notification waits to be handled (default: 10 s). After this time, the
	// handler responds with 503.
	QueueTimeout time.Duration
	// OnRejection is called for every rejected notification, with the reason. The provider does not receive the reason.
	OnRejection func(*http.Request, error)
}

// Errors that Handler passes to OnRejection, in addition to errors of type *Error.
var (
	// ErrBodyTimeout means that the body did not arrive in time.
	ErrBodyTimeout = errors.New("paytend: the body did not arrive in time")
	// ErrOverloaded means that a notification waited for QueueTimeout while MaxConcurrent other notifications were being
	// handled.
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
	if o.OnRejection == nil {
		o.OnRejection = func(*http.Request, error) {}
	}
	return o
}

// readBody reads a body with a timeout, even if middleware has wrapped the server's ResponseWriter.
func readBody(w http.ResponseWriter, body io.Reader, timeout time.Duration) ([]byte, error) {
	// The deadline interrupts a blocked read. The server sets a new deadline for the next request.
	connection := http.NewResponseController(w)
	if connection.SetReadDeadline(time.Now().Add(timeout)) == nil {
		read, err := io.ReadAll(body)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, ErrBodyTimeout
		}
		_ = connection.SetReadDeadline(time.Time{})
		return read, err
	}
	// The ResponseWriter does not support deadlines. After a timeout, the read continues until the server closes the body.
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

// Handler returns an HTTP handler for a route. The handler verifies each notification, passes authentic notifications
// to handle, and sends the response. The response is 408 if the body arrives too slowly, and 503 if too many
// notifications are being handled. Configure the server to limit the number of connections and the time to read
// headers.
func (r *Receiver) Handler(handle func(*http.Request, *Received) Reply, options HandlerOptions) http.Handler {
	options = options.withDefaults()
	onRejection := options.OnRejection
	slots := make(chan struct{}, options.MaxConcurrent)
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			onRejection(request, usage(fmt.Sprintf("the method is %.16q; it must be POST", request.Method)))
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		body, err := readBody(w, http.MaxBytesReader(w, request.Body, r.limit), options.BodyTimeout)
		var tooLarge *http.MaxBytesError
		switch {
		case errors.Is(err, ErrBodyTimeout):
			onRejection(request, err)
			w.Header().Set("Connection", "close")
			http.Error(w, "the body did not arrive in time", http.StatusRequestTimeout)
			return
		case errors.As(err, &tooLarge):
			message := fmt.Sprintf("the body is larger than Limits.MaxBytes (%d bytes)", r.limit)
			onRejection(request, &Error{Code: Malformed, Name: ErrMalformed.Name, Message: message})
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			onRejection(request, err)
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		turn := time.NewTimer(options.QueueTimeout)
		defer turn.Stop()
		select {
		case slots <- struct{}{}:
			// Frees the slot even if handle panics.
			defer func() { <-slots }()
		case <-turn.C:
			onRejection(request, ErrOverloaded)
			w.Header().Set("Retry-After", "60")
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		case <-request.Context().Done():
			onRejection(request, request.Context().Err())
			return
		}
		received, response, err := r.Receive(request.Header, body, time.Now())
		if err == nil {
			response, err = r.Respond(handle(request, received))
		}
		if err != nil {
			onRejection(request, err)
		}
		if response == nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		_ = response.Write(w)
	})
}
