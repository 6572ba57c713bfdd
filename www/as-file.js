// A classic script, which still runs if the page is opened as a file: browsers refuse modules there, so nothing else would.
if (location.protocol === "file:") document.getElementById("as-file").hidden = false;
