package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// newCheck is "assetfs check".
func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [flags]",
		Short: "Would a mount work? costs nothing",
		RunE:  func(*cobra.Command, []string) error { return errors.New("check: not there yet") },
	}
}
