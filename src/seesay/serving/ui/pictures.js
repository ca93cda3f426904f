// Pictures from a person's disk or clipboard, scaled down before they are sent: the model uses no more pixels.

const LONGER_PX = 1024;
let count = 0;

// A file or blob -> {name, uri}. Throws where the browser cannot read it.
export async function picture(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGER_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // behind transparent pixels
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return { name: `p${++count}`, uri: canvas.toDataURL("image/jpeg", 0.9), file: file.name ?? "" };
}

export const imagesIn = transfer => [...(transfer?.files ?? [])].filter(file => file.type.startsWith("image/"));

// Calls `take(files)` for files that are dropped or pasted anywhere. veil: shown while files are dragged.
export function listen(veil, take) {
  let depth = 0;
  const has = event => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", event => {
    if (has(event)) {
      event.preventDefault();
      depth++;
      veil.hidden = false;
    }
  });
  addEventListener("dragover", event => {
    if (has(event)) event.preventDefault();
  });
  addEventListener("dragleave", event => {
    if (has(event) && --depth <= 0) {
      depth = 0;
      veil.hidden = true;
    }
  });
  addEventListener("drop", event => {
    if (!has(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    take([...event.dataTransfer.files]);
  });
  addEventListener("paste", event => {
    const files = imagesIn(event.clipboardData);
    if (files.length) {
      event.preventDefault();
      take(files);
    }
  });
}
