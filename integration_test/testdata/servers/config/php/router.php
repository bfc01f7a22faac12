<?php
// What many a small download script does: the whole file, whatever was asked for. Settings: nolength, metadata, epoch.
ignore_user_abort(true);
set_time_limit(0);
$assets = [
{{range .Assets}}	'{{.ID}}' => ['{{.Type}}', '{{.Single}}'],
{{end}}];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$sent = 0;
preg_match('!^/serve/api/v2/(re_\d+)/(download|metadata)$!', $path, $m);
if ($m && $m[2] == 'download' && isset($assets[$m[1]])) {
	[$type, $disposition] = $assets[$m[1]];
	$file = "{{.Files}}$path";
	header("Content-Type: $type");
	header("Content-Disposition: $disposition");
	{{if .Is "epoch"}}header('ETag: "start-{{.Start}}"');{{end}}
	{{if not (.Is "nolength")}}header('Content-Length: ' . filesize($file));{{end}}
	$in = fopen($file, 'rb');
	while (!feof($in) && !connection_aborted()) {
		$piece = fread($in, 65536);
		echo $piece;
		flush();
		$sent += strlen($piece);
	}
{{if .Is "metadata"}}} elseif ($m && isset($assets[$m[1]])) {
	header('Content-Type: application/json');
	readfile("{{.Files}}$path");
{{else}}} elseif ($m && isset($assets[$m[1]])) {
	http_response_code(404);
	header('Content-Type: application/json');
	echo '{"timestamp":"2026-01-02T03:04:05.678+00:00","path":"', $path, '","status":404,"error":"Not Found","requestId":"1234-5"}';
{{end}}} else {
	http_response_code(404);
	header('Content-Type: application/json');
	echo '{"code":404,"msg":"Asset not found","data":null,"success":false,"failed":true}';
}
$range = $_SERVER['HTTP_RANGE'] ?? '';
file_put_contents('{{.Dir}}/access.log', sprintf("GET %s %s \"%s\" %d %d\n", $path, $_SERVER['SERVER_PROTOCOL'], $range, http_response_code(), $sent), FILE_APPEND | LOCK_EX);
