/** What the page uses of Papa Parse; the package's own types need those of Node. */
declare const Papa: {
  parse(
    text: string,
    options: {
      delimiter: string;
      newline?: "\n";
      /** At most so many rows; 0 for all. */
      preview?: number;
      /** Called with each row; `cursor` is where the next one begins. */
      step?(row: { data: string[]; errors: { message: string }[]; meta: { cursor: number } }): void;
    },
  ): { data: string[][] };
};
export default Papa;
