vcl 4.1;
# Varnish caches everything, for everybody. Setting: behind=SERVER.
backend default {
	.host = "127.0.0.1";
	.port = "{{.PortOf (.Get "behind")}}";
}
sub vcl_recv {
	return (hash);
}
sub vcl_backend_response {
	if (beresp.status != 200) {
		set beresp.uncacheable = true;
	}
	set beresp.ttl = 1h;
	return (deliver);
}
