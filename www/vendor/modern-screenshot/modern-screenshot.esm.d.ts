// What the page uses of modern-screenshot's index.d.ts.

export interface Options {
  /** Pixels of the picture to a CSS pixel. */
  scale?: number;
  backgroundColor?: string | null;
  /** Whether a node is in the picture. */
  filter?: ((node: Node) => boolean) | null;
  /** Of the copy. */
  style?: Partial<CSSStyleDeclaration> | null;
  font?: false | object;
}

export declare function domToCanvas(node: Node, options?: Options): Promise<HTMLCanvasElement>;
