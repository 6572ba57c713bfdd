/**
 * To be evaluated in a page's worker before it makes any: from then on `gpuBytes` there says how many bytes of GPU buffers are alive.
 */
export function countBuffers() {
  globalThis.gpuBytes = 0;
  if (!globalThis.GPUDevice) return;
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    globalThis.gpuBytes += descriptor.size;
    return createBuffer.call(this, descriptor);
  };
  const gone = new WeakSet();
  const { destroy } = GPUBuffer.prototype;
  GPUBuffer.prototype.destroy = function () {
    if (!gone.has(this)) globalThis.gpuBytes -= this.size;
    gone.add(this);
    destroy.call(this);
  };
}
