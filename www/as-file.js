// A classic script, which a page that was opened as a file may have: its modules are refused there, and the page stays dead.
if (location.protocol === "file:") document.getElementById("as-file").hidden = false;
