// What gives headless Chromium WebGPU in software; without them a page finds no adapter.
export const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

// The same on the machine's own GPU (Linux, its Vulkan driver): no window system, and drivers that no list knows.
export const WEBGPU_HARDWARE = [
  "--enable-unsafe-webgpu",
  "--ignore-gpu-blocklist",
  "--disable-gpu-sandbox",
  "--enable-features=Vulkan",
  "--use-angle=vulkan",
  "--disable-vulkan-surface",
];
