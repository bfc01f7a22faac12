// Package remote is the client of the asset API: downloads, the free metadata
// call, and the names that responses give. It knows nothing of files.
//
// The model: a [Client] turns a [Request] into a [Response] whose [Body]
// streams. What a response says is checked before it is believed, and what is
// not an asset (a JSON error object, an HTML page, a range that was not asked
// for) is an [Error]. What stands before each download:
//
//	Download -> limiter: rate limit (each rate an exact sliding window;
//	            readers in order, background calls only what is free) and
//	            gate (closed by refusals and by an unreachable host; then one
//	            probe at a time)
//	         -> the wire, redirects followed by hand
//
// Metadata calls have a limiter of their own, since their limit is another.
// Little is retried here: what the rate limit refused, a request answered 401
// after the key's file has changed, and once without Range what was refused
// perhaps because of its range, or answered with a part that can't be placed.
package remote
