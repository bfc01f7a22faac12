package mountopt

import (
	"fmt"
	"os"
	"strings"
)

// AllowOtherError means that this machine doesn't let users share their mounts.
type AllowOtherError struct{ Conf string }

func (e *AllowOtherError) Error() string {
	return fmt.Sprintf("--allow-other is not allowed here: as root, write the line user_allow_other to %s", e.Conf)
}

// MayAllowOther returns an *AllowOtherError unless conf, the configuration of fusermount, lets
// users share their mounts. A conf that can't be read does not. Root needs no permission.
func MayAllowOther(conf string) error {
	text, err := os.ReadFile(conf)
	if err != nil {
		return &AllowOtherError{conf}
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "user_allow_other" {
			return nil
		}
	}
	return &AllowOtherError{conf}
}
