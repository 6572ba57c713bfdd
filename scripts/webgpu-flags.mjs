// What gives headless Chromium WebGPU in software; without them a page finds no adapter.
export const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];
