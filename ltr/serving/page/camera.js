// A photo by the camera of the machine; a phone's own camera comes with choosing a file, too.

import { h, say } from "./dom.js";

export const canFilm = () => Boolean(navigator.mediaDevices?.getUserMedia && HTMLDialogElement);

/** A dialog that films; `taken` gets a picture as a Blob, `choose` is asked for a file instead. */
export function openCamera(taken, choose) {
  const video = h("video", { autoplay: true, playsinline: true, "aria-label": "What the camera sees" });
  video.muted = true;
  const note = h("p", { class: "soft", role: "status" }, "Asking for the camera …");
  const shoot = h("button", { type: "button", class: "primary", disabled: true, onclick: () => {
    const canvas = h("canvas", { width: String(video.videoWidth), height: String(video.videoHeight) });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => { dialog.close(); taken(blob); }, "image/jpeg", 0.92);
  } }, "Take the photo");
  const dialog = h("dialog", { "aria-labelledby": "camera-title" }, h("h2", { id: "camera-title" }, "Search by photo"), video, note,
    h("div", { class: "deeds" }, shoot, h("button", { type: "button", onclick: () => { dialog.close(); choose(); } }, "Choose a file"), h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel")));
  let stream = null, closed = false;
  dialog.addEventListener("close", () => {
    closed = true;
    stream?.getTracks().forEach((track) => track.stop());
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } }).then((opened) => {
    stream = opened;
    if (closed) { opened.getTracks().forEach((track) => track.stop()); return; }
    video.srcObject = opened;
    video.addEventListener("loadedmetadata", () => { note.hidden = true; shoot.disabled = false; shoot.focus(); });
  }).catch(() => {
    video.hidden = true;
    note.textContent = "There is no camera to be had: choose a file, drop one, or paste one.";
    say(note.textContent);
  });
}
