package cli

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"assetfs/fs/service"
)

// refreshed is the result of listing one library.
type refreshed struct {
	Library string `json:"library"`
	Videos  int    `json:"videos"`
	Missing int    `json:"missing,omitempty"`
	Error   string `json:"error,omitempty"`
}

// newRefresh is "assetfs refresh MOUNTPOINT".
func newRefresh() *cobra.Command {
	return &cobra.Command{
		Use:                   "refresh MOUNTPOINT",
		Short:                 "List the libraries again now",
		Args:                  some,
		ValidArgsFunction:     completeFiles,
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("refresh takes one mount; write %s", c.UseLine())
			}
			ctx, stop := interruptible()
			defer stop()
			mount, err := dial(args[0])
			if err != nil {
				return err
			}
			var looks []refreshed
			if err := mount.ask(ctx, http.MethodPost, "/v1/refresh", nil, &looks); err != nil {
				return err
			}
			if len(looks) == 0 {
				return fmt.Errorf("%s has no library", args[0])
			}
			failed := 0
			for _, l := range looks {
				if l.Error != "" {
					failed++
					complain(l.Library, l.Error)
				} else if _, err := fmt.Printf("%s: %s\n", printable(l.Library), videosText(l.Videos, l.Missing)); err != nil {
					return err
				}
			}
			return incomplete(failed, len(looks))
		},
	}
}

// refresh answers when all libraries have been listed.
func (c *commander) refresh(w http.ResponseWriter, r *http.Request) {
	looks, err := c.m.Refresh(r.Context())
	if err != nil {
		return // the client is gone
	}
	list := []refreshed{}
	for _, l := range looks {
		list = append(list, refreshedOf(l))
	}
	answer(w, list)
}

func refreshedOf(l service.Look) refreshed {
	r := refreshed{Library: l.Scope, Videos: l.Videos, Missing: l.Missing}
	if l.Err != nil {
		r.Error = l.Err.Error()
	}
	return r
}

// videosText counts the videos of a library, and those that its list lacks.
func videosText(n, missing int) string {
	text := fmt.Sprintf("%d videos", n)
	if n == 1 {
		text = "1 video"
	}
	if missing > 0 {
		text += fmt.Sprintf("; the list lacks %d that the server counts", missing)
	}
	return text
}
