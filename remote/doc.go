// Package remote is the client of the asset API: downloads, the free metadata
// call, and the names that responses give. It knows nothing of files.
//
// The model: a [Client] turns a [Request] into a [Response] whose [Body]
// streams. What a response says is checked before it is believed, and what is
// not an asset (a JSON error object, an HTML page, a range that was not asked
// for) is an [Error]. Two things stand before each download, in this order:
//
//	Download -> gate (closed by 429 and by an unreachable host; then one
//	            probe at a time)
//	         -> window (at most N requests in 61 s; readers go first and
//	            have a reserve)
//	         -> the wire, redirects followed by hand
//
// Nothing is retried here but two things that need no patience: a request
// answered 401 after the key's file has changed, and one answered 416 because
// the asset is empty.
package remote
