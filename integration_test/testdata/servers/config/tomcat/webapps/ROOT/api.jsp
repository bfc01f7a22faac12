<%@page session="false"%><%
String id = request.getPathInfo().replaceAll("^/|/download$|/metadata$", "");
String[] found = null;
{{range .Assets}}if (id.equals("{{.ID}}")) found = new String[] {"{{.Type}}", "{{.Double}}"};
{{end}}
if (found == null) {
	response.setStatus(400);
	response.setContentType("application/json");
	out.print("{\"code\":\"0001\",\"msg\":\"Asset not found\",\"data\":null,\"success\":false,\"failed\":true}");
	return;
}
if (request.getPathInfo().endsWith("/metadata")) {
	response.setContentType("application/json");
	request.getRequestDispatcher("/files" + request.getServletPath() + request.getPathInfo()).forward(request, response);
	return;
}
response.setContentType(found[0]);
response.setHeader("Content-Disposition", found[1]);
request.getRequestDispatcher("/files/serve/api/v2/" + id + "/download").forward(request, response);
%>
