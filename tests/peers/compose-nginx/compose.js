// API composition in nginx: asks two services at once by subrequests, makes sure that both documents are JSON, and puts
// their text together.

async function part(request, name) {
  const reply = await request.subrequest(`/${name}`);
  if (reply.status !== 200) {
    throw new Error(`${name} answers ${reply.status}`);
  }
  JSON.parse(reply.responseText);
  return reply.responseText;
}

async function compose(request) {
  try {
    const parts = await Promise.all([part(request, "order"), part(request, "inventory")]);
    request.headersOut["Content-Type"] = "application/json";
    request.return(200, `{"order":${parts[0]},"inventory":${parts[1]}}`);
  } catch (error) {
    request.return(502, `${error}\n`);
  }
}

export default { compose };
