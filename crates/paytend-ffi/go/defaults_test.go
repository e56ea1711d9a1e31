package paytend

import (
	"testing"
	"time"
)

// README.md states these defaults.
func TestDefaultsMatchTheReadme(t *testing.T) {
	defaults := HandlerOptions{}.withDefaults()
	if defaults.BodyTimeout != 10*time.Second || defaults.MaxConcurrent != 64 || defaults.QueueTimeout != 10*time.Second {
		t.Errorf("%v %v %v", defaults.BodyTimeout, defaults.MaxConcurrent, defaults.QueueTimeout)
	}
}
