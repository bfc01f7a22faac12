// Package remote is the client of the asset API: downloads, free metadata calls, and
// lists of videos. It knows nothing about files.
//
// A [Client] turns a [Request] into a [Response] whose [Body] streams. A response is
// checked before it is believed. What is not an asset (a JSON error object, an HTML
// page, a range that was not asked for) becomes an [Error]. Each download passes:
//
//	Download -> limiter: the rate limit (each rate is an exact sliding window;
//	            readers in order, background calls only if one is free), and
//	            the gate (closed by refusals and by an unreachable host; then
//	            one probe at a time)
//	         -> the network; redirects are followed by hand
//
// Metadata calls have a different limit, so they have a limiter of their own.
// Few things are retried here: a call that the rate limit refused, a call answered 401
// after the key file has changed, and, once and without Range, a request that failed
// perhaps because of its range. A key that the API has refused is not sent again for a while.
package remote
