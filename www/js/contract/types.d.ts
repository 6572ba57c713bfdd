// Generated from src/record by scripts/contract. Do not edit.

/** An adapter that is held. */
export type AdapterInfo = {
  name: string;
  /** What was taken otherwise than the files say, a sentence each. */
  notes: string[];
  /** Numbers that it trains. */
  parameters: number;
  /** Its shape, which an arm that starts from it has; `start` is its name. */
  spec: LoraSpec;
};

export type ArmInfo = {
  arm: string;
  /**
   * All of the GPU's memory that training this arm takes, the base's weights included; unknown on the CPU and
   * in older records.
   */
  memory_bytes?: number | null;
  /** Gradients and AdamW's two moments, in bytes. */
  optimizer_bytes: number;
  trainable_parameters: number;
};

/** One arm. Its place in the run's list is its colour, dash and marker on the page. */
export type ArmSpec = {
  /** Unique in the run: lower-case letters, digits and hyphens. */
  id: string;
  /** What a reader sees. */
  label: string;
  /** Peak learning rate. */
  lr: number;
  method: Method;
  regularisers: Regularisers;
  schedule: ScheduleKind;
  /** Steps of linear warm-up. */
  warmup: number;
};

/** What the base answers to a fact's question in the chat template. */
export type AskedOfBase = {
  /** Whether it names the object and no other of its relation. */
  right: boolean;
  text: string;
};

export type BackendChoice = "webgpu" | "cpu" | "auto";

/** What the base says to a fact. */
export type BaseAnswer = {
  /** Nothing where asking takes too long. */
  asked?: AskedOfBase | null;
  /** The object that it completes the sentence with, or its words where they name none. */
  cloze: string;
  /** The rank of the fact's object, from 1, and among how many of its relation; nothing where it is the only one. */
  rank?: number[] | null;
  /** Why it could not be asked for; there is nothing but the sentence then. */
  refused?: string | null;
  /** Whether that is the fact's. */
  right: boolean;
  /** The sentence up to its object, as the model reads it. */
  sentence: string;
};

export type BenchAdapter = {
  /** `webgpu` or `cpu`. */
  backend: string;
  driver: string;
  name: string;
  /** Whether it is a program on the CPU. */
  software: boolean;
};

/** Times are medians over the rounds, after a first one. */
export type BenchReport = {
  adapter: BenchAdapter;
  batch: number;
  /** The highest rate in `products`. */
  best_gflop_per_s: number;
  format: number;
  forward: Speed;
  full_bytes?: number | null;
  full_dispatches?: Dispatches | null;
  full_step: Speed;
  full_traffic?: Traffic | null;
  generation: Generation;
  /** GPU memory of each arm, the base's weights included. */
  lora_bytes?: number | null;
  lora_dispatches?: Dispatches | null;
  lora_step: Speed;
  /** Time of a LoRA step over that of a full one. */
  lora_to_full: number;
  lora_traffic?: Traffic | null;
  /** Of the LoRA steps, the first and one a round: what proves that two machines train the same. */
  losses: number[];
  model: ModelShape;
  products: Rate[];
  /** Of a LoRA step; empty unless asked for. */
  profile: DispatchKind[];
  rank: number;
  /** Share of the tokens that count. */
  response: number;
  time: number;
  /**
   * From where the caller began, the program's or the page's start, to the end of the first LoRA step: the
   * model, the arm, its plan, the kernels' compilation and the step are in it.
   */
  to_first_step_ms: number;
  /** Of the page that is built, which the caller knows. */
  wasm?: WasmSize | null;
};

/** What is measured. */
export type BenchSettings = {
  /** Rows of a batch. */
  batch: number;
  /** Also say where a step's time goes, dispatch by dispatch (WebGPU only). */
  profile: boolean;
  /** LoRA's rank, on all seven linear layers. */
  rank: number;
  /** Rounds, each of which measures everything once. */
  repeat: number;
  /** Share of a row's tokens that count, at its end; the others are its prompt. Above 0, at most 1. */
  response: number;
  /** Tokens of a row. */
  time: number;
};

/** A known shape. */
export type BenchShape = "atlas" | "smollm2";

export type Blobs = Blob[];

/** One measure of one run, for the curve of learning against forgetting. */
export type Checkpoint = {
  arm: string;
  condition: string;
  fairness?: Fairness | null;
  heldout_loss: number;
  /** KL(tuned || base) on the arm's own answers. */
  kl: number;
  /** KL(base || tuned) on the new task; not in older records. */
  kl_task?: number | null;
  lr: number;
  recall_cloze: number;
  /** Share of the facts that only the set states, asked; where there are any. */
  recall_new?: number | null;
  seed: number;
  step: number;
  /** What the change was multiplied by, where that is not 1. */
  strength?: number | null;
};

/** Shift of the tokens of an opener, of a stated object, and of the rest (see `measure::classes`). */
export type ClassShift = {
  fact: PositionShift;
  opener: PositionShift;
  style: PositionShift;
};

/** Page to worker. */
export type Command = Load & {
  type: "load";
} | {
  blobs: Blobs;
  model: ModelFiles;
  /** Of the first LoRA arm and its batches. */
  settings: Settings;
  type: "inspect";
} | {
  settings: Settings;
  type: "warm_up";
} | {
  heldout: string;
  instructions: string;
  /** The visitor's own facts, JSON Lines; empty for the built-in ones. */
  probes: string;
  settings: Settings;
  /** What of it this worker trains; all of it if not given. */
  share?: Share | null;
  type: "start";
} | {
  type: "snapshot";
} | {
  blobs: Blobs;
  /** Where the settings are not those that the arms were trained with. */
  fork?: Fork | null;
  heldout: string;
  instructions: string;
  probes: string;
  settings: Settings;
  share?: Share | null;
  type: "resume";
} | {
  type: "ping";
} | {
  type: "play";
  until?: number | null;
} | {
  type: "pause";
} | {
  arm?: string | null;
  count: number;
  type: "step";
} | {
  id: number;
  max_tokens: number;
  question: string;
  sampling: Sampling;
  type: "ask";
} | {
  id: number;
  rows: string;
  type: "count_tokens";
} | {
  id: number;
  probes: string;
  type: "probe";
} | {
  arm: string;
  type: "save";
} | {
  blobs: Blobs;
  /** The names of adapter_config.json and adapter_model.safetensors, in the order of the command's `blobs`. */
  files: string[];
  name: string;
  type: "add_adapter";
} | {
  arm: string;
  name: string;
  type: "keep_adapter";
} | {
  name: string;
  type: "remove_adapter";
} | {
  heldout: string;
  instructions: string;
  preset: string;
  /** As of [`Command::Start`]. */
  probes: string;
  seeds: number;
  type: "experiment";
} | {
  arm: string;
  type: "counterfactual";
} | {
  arm: string;
  intruders: number;
  strength: number;
  type: "strength";
} | {
  arm?: string | null;
  type: "look";
} | {
  random?: RandomModel | null;
  settings: BenchSettings;
  type: "bench";
};

export type ComparedSide = {
  arm: string;
  condition: string;
  metric: Metric;
  /** Seeds. */
  n: number;
  spread: Spread;
};

/** Two figures, their difference `b - a`, and what it says about the claim. */
export type Comparison = {
  a: ComparedSide;
  b: ComparedSide;
  difference: number;
  fairness?: Fairness | null;
  /** Half width of the 95 % interval of the difference (Welch); needs two seeds a side. */
  margin?: number | null;
  /** How much two seeds of the same side differ on average. */
  noise?: number | null;
  /** How probable a difference of at least this size is if there is none (Welch, two-sided). */
  p?: number | null;
  /** The same for all comparisons of the experiment together (Holm). */
  p_holm?: number | null;
  reading: Reading;
  /** All of it as a sentence. */
  text: string;
};

/** Answers to held-out questions on facts that the set does not state. */
export type Conversation = {
  /** Both. */
  both: number;
  /** They begin and end as the set's answers do, and end by themselves. */
  format: number;
  n: number;
  /** They name the object and no other candidate. */
  right: number;
};

/** What became of borrowed answers after a training run with swapped rows. */
export type Counterfactual = {
  arm: string;
  /** Answers whose source rows stayed. */
  control: Fates;
  /** Some of the swapped ones. */
  examples: SwappedAnswer[];
  /** Training runs that are added up here. */
  runs: number;
  /** Answers whose source rows were swapped. */
  swapped: Fates;
};

/** Dispatches of one kernel, and of one size where it is a product. */
export type DispatchKind = {
  count: number;
  gflop_per_s: number;
  kernel: string;
  ms: number;
  product?: NamedProduct | null;
};

export type Dispatches = {
  layer_backward: number;
  layer_forward: number;
  total: number;
};

/** Answers to the first held-out question, drawn at temperature 1. */
export type Diversity = {
  n: number;
  /** Different ones. */
  unique: number;
};

/** The engine that was chosen. */
export type EngineName = "webgpu" | "cpu";

/** Wrong cloze answers on kept facts. */
export type Errors = {
  /** A candidate that the instruction set states for another subject. */
  borrowed: number;
  /** Share of *errors* that would be borrowed if a wrong answer were a candidate drawn at random. */
  borrowed_by_chance: number;
  /** No candidate of the relation. */
  malformed: number;
  /** Kept facts probed. */
  n: number;
  /** Another candidate of the relation. */
  other: number;
};

/** How arms are made comparable. */
export type Fairness = "same_rate" | "best_rate" | "equal_loss" | "equal_facts";

/** Numbers of answers. */
export type Fates = {
  /** Now the object that the rows were given. */
  followed: number;
  n: number;
  /** Now something else. */
  other: number;
  /** Now the right one. */
  right: number;
  /** As before. */
  unchanged: number;
};

export type FieldData = {
  help: string;
  high?: number | null;
  /** Shown without opening "More settings". */
  is_main: boolean;
  /** What it is called in links: `r`. */
  key: string;
  kind: FieldKind;
  label: string;
  low?: number | null;
  /** The only method that has it. */
  method?: string | null;
  /** Where it is, with dots: `method.rank`. */
  name: string;
  options?: string[] | null;
};

export type FieldKind = "whole" | "real" | "switch" | "choice" | "several" | "adapter";

/** Which examples of a set are used where not all are. */
export type Filter = "first" | "shortest" | "longest" | "confident";

/** Least squares of `lost = c0 + c1 x + c2 x²`, where x is a divergence in nats per token and lost a share of the kept facts. */
export type Fit = {
  coefficients: number[];
  metric: Metric;
  /** Checkpoints. */
  n: number;
  /** Share of the variance that it explains. */
  r2: number;
};

/** A step of a run from which another one went on with other settings. */
export type Fork = {
  /** What the arms were trained with up to there. */
  settings: Settings;
  step: number;
};

/** The checkpoints of an arm that no other of its checkpoints beats in both, what is learned and what is kept. */
export type Frontier = {
  /**
   * What a seed's checkpoints dominate: learned since the start (nats of held-out loss, or the share of new facts) times
   * the share of facts kept. Over the seeds.
   */
  area: Spread;
  arm: string;
  /** `[goal, recall_cloze]` of all seeds together, in the order of what is learned. */
  corners: number[][];
  seeds: number;
};

export type Generation = {
  /** Of the first call, which makes the plan and compiles what is not compiled yet. */
  first_ms: number;
  /** Of matrix products, 10^9 operations. */
  gflop: number;
  gflop_per_s: number;
  ms: number;
  /** Of each row. */
  new_tokens: number;
  /** Over `best_gflop_per_s`. */
  share_of_best: number;
  tokens_per_s: number;
};

/** How the matrices of a base are held on the GPU. */
export type HeldAs = "f32" | "f16";

/** A geometric mean over seeds with its 95 % interval (Student); all three the same for a single seed. */
export type Interval = {
  high: number;
  low: number;
  mean: number;
};

export type Lesson = {
  /** Always [`Lesson::FORMAT`]. */
  format: string;
  steps: LessonStep[];
  title: { [key: string]: string };
  /** Always [`Lesson::VERSION`]. */
  version: number;
};

/** A button. */
export type LessonAction = {
  label: { [key: string]: string };
  scene?: Scene | null;
  /** Settings of the next run, as a link has them: `arm=lora+r=4&arm=full&steps=100`. */
  settings?: string | null;
  then?: LessonVerb | null;
};

export type LessonQuestion = {
  answer: { [key: string]: string };
  ask: { [key: string]: string };
};

export type LessonStep = {
  actions: LessonAction[];
  /** Sentences made from figures: `{recall_cloze full}`, `{heldout_loss base}`, `{verdict}`. */
  claim?: { [key: string]: string } | null;
  /** Whether the visitor guesses which arm forgets most. */
  guess: boolean;
  /** What to look at. */
  look?: { [key: string]: string } | null;
  question?: LessonQuestion | null;
  /** What the stage shows once the step is opened. */
  scene?: Scene | null;
  text: { [key: string]: string };
  title: { [key: string]: string };
};

export type LessonVerb = "pause" | "reset" | "play" | "train" | "step";

export type Load = {
  backend: BackendChoice;
  blobs: Blobs;
  /** Whether arms keep no activations but each layer's input, and compute the others twice. */
  checkpoint: boolean;
  /** facts.jsonl. */
  facts: string;
  /** The last [`Message::Found`] on this machine. */
  found?: string | null;
  model: ModelFiles;
  /** How the base's matrices are held. */
  weights: HeldAs;
};

/** LoRA (Hu et al., arXiv 2106.09685) and its variants. */
export type LoraSpec = {
  /** The update is scaled by alpha / r. */
  alpha: number;
  /** DoRA: rows of the adapted weights have trained lengths. */
  dora: boolean;
  /** r. */
  rank: number;
  /** rsLoRA: the update is scaled by alpha / sqrt(r). */
  rslora: boolean;
  /**
   * Name of the adapter that it starts from, whose shape it then has; empty for a fresh one, which starts at the
   * base.
   */
  start: string;
  /** Linear layers that are adapted. */
  targets: Target[];
};

export type MatrixChange = {
  /**
   * How many of the ten largest left singular vectors of W are intruder dimensions, nearer than
   * [`Spectrum::INTRUDER`] to none of W0's; not in older records.
   */
  intruders?: number | null;
  /** E.g. `model.layers.0.self_attn.q_proj`. */
  name: string;
  /** Directions that there are. */
  of: number;
  /** Directions that hold 90 % of the variance of ΔW. */
  rank90: number;
  /** ‖ΔW‖ / ‖W‖, Frobenius norms. */
  relative: number;
  /** In records at an arm's last step alone. */
  spectrum?: Spectrum | null;
};

/** Everything measured on an arm after `step` steps (0: before the first). */
export type Measure = {
  arm: string;
  /** One letter per wall fact: see [`Cell`]. */
  cells: string;
  /** How held-out questions on facts are answered; before the first step and after the last. */
  conversation?: Conversation | null;
  /** How many ways it has to answer one question; before the first step and after the last. */
  diversity?: Diversity | null;
  /** Cloze errors on kept facts by kind. */
  errors: Errors;
  /** Mean over the held-out response tokens, nats. */
  heldout_loss: number;
  /**
   * Mean number of intruder dimensions of a matrix, among its ten largest ([`super::MatrixChange::intruders`]); of models
   * whose weights are looked at.
   */
  intruders?: number | null;
  /**
   * Mean KL(base || tuned) over the same tokens, nats: of what the new task says, where [`Shift::kl`] is
   * KL(tuned || base) of what the model says itself. Not in older records.
   */
  kl_task?: number | null;
  /** Log-probability of each wall fact's object, nats, in cell order. */
  logprobs: number[];
  /** Wall time of the measurement, milliseconds. */
  ms: number;
  /**
   * Mean rank of the right object among up to 16 of its relation, 1 the likeliest, over the first kept facts of the
   * wall; where the settings ask for it.
   */
  object_rank?: number | null;
  recall: Recall[];
  run: number;
  shift: Shift;
  step: number;
  /** The wrong answers on the wall. */
  wrong: WrongAnswer[];
};

/** Worker to page. */
export type Message = {
  type: "listening";
} | {
  /** The adapter's name, or why there is none. */
  adapter: string;
  /** The most bytes that the file of an adapter of this model may have. */
  adapter_bytes: number;
  engine: EngineName;
  /** Bytes of the worker's memory, the most it has been so far. */
  memory: number;
  model: string;
  parameters: number;
  /** Why this engine was chosen. */
  reason: Said;
  type: "ready";
} | {
  model: ModelInfo;
  type: "inspected";
} | {
  message: string;
  type: "refused";
} | {
  event: RunEvent;
  type: "event";
} | {
  done: number;
  /** `base`: it is measured; `bench`: so is this machine; `weights`: an arm's are looked at. */
  stage: string;
  total: number;
  type: "progress";
} | {
  state: RunState;
  type: "state";
} | {
  step: number;
  type: "waiting";
} | {
  json: string;
  type: "found";
} | {
  done: number;
  label: string;
  preset: string;
  total: number;
  type: "experiment";
} | {
  id: number;
  texts: { [key: string]: string };
  type: "answering";
} | {
  arm: string;
  id: number;
  tokens: ShiftToken[];
  type: "answer";
} | {
  id: number;
  type: "asked";
} | {
  counts: RowTokens[];
  id: number;
  type: "tokens";
} | {
  answers: BaseAnswer[];
  from: number;
  id: number;
  total: number;
  type: "probed";
} | {
  arm: string;
  bytes: Uint8Array<ArrayBuffer>;
  file: string;
  type: "part";
} | {
  arm: string;
  blobs: Blobs;
  run: number;
  step: number;
  type: "snapshot";
} | {
  type: "alive";
} | {
  arm: string;
  type: "saved";
} | {
  adapters: AdapterInfo[];
  type: "adapters";
} | {
  message: string;
  type: "adapter_refused";
} | {
  report: BenchReport;
  type: "bench";
} | {
  message: string;
  name: string;
  type: "error";
};

/** What an arm trains. */
export type Method = LoraSpec & {
  kind: "lora";
} | {
  kind: "full";
};

/** A figure of a [`Measure`]. */
export type Metric = "marginal" | "shifted" | "kl_late" | "kl_opener" | "kl_style" | "kl_fact" | "shifted_style" | "shifted_fact" | "right" | "conversation" | "heldout_loss" | "recall_cloze" | "recall_asked" | "recall_seen" | "recall_new_cloze" | "recall_new" | "object_rank" | "borrowed" | "other" | "malformed" | "borrowed_of_errors" | "borrowed_by_chance" | "unshifted" | "kl" | "kl_task" | "kl_early" | "shifted_opener" | "format" | "diversity" | "intruders";

export type MetricData = {
  is_share: boolean;
  /** At the head of a column. */
  label: string;
  /** With its unit. */
  long: string;
  name: Metric;
};

/** The files of a model. */
export type ModelFiles = {
  /**
   * The files' names, in the order of the command's `blobs`: a Hugging Face folder's, or one that ends with .gguf, with a
   * tokenizer beside it where its own is not to be used.
   */
  files: string[];
  /** How many layers are kept, from the first on; all of them if not given. */
  layers?: number | null;
  /** What it is called on the page. */
  name: string;
};

/** A model that was inspected. */
export type ModelInfo = {
  /** Bytes that the base and its arms may take together; unknown where there is none. */
  available?: number | null;
  layers: number;
  /** Milliseconds of one measurement of an arm, estimated. */
  measurement_ms: number;
  /** What was taken otherwise than the files say, a sentence each. */
  notes: string[];
  parameters: number;
  /** Longest text, in tokens. */
  positions: number;
  /** "SmolLM2, 134,515,008 parameters". */
  title: string;
  vocabulary: number;
  ways: Way[];
};

export type ModelShape = {
  heads: number;
  hidden: number;
  intermediate: number;
  kv_heads: number;
  layers: number;
  name: string;
  parameters: number;
  vocabulary: number;
};

export type Named = {
  help: string;
  label: string;
  name: Fairness;
};

/** A product's layout and size. */
export type NamedProduct = {
  k: number;
  layout: string;
  /** Terms that LoRA adds to each sum. */
  lora: number;
  m: number;
  n: number;
};

/**
 * The rate of the lowest held-out loss at the end, by a parabola over the logarithm of the rate through the best one and its
 * neighbours.
 */
export type Optimum = {
  arm: string;
  rate: Interval;
  /** The first arm's best rate divided by this one's, seed by seed; none for the first arm. */
  ratio?: Interval | null;
  seeds: number;
};

export type PositionShift = {
  kl: number;
  marginal: number;
  n: number;
  shifted: number;
  unshifted: number;
};

export type PresetData = {
  claim: string;
  /** Its instruction set; none where it is the usual one. */
  data?: string | null;
  /** The model that it is for; none for the page's own. */
  model?: string | null;
  name: string;
  /** Training runs per seed. */
  runs: number;
  short: string;
  title: string;
};

/** What is measured in place of a model with files: a known shape with random weights. */
export type RandomModel = {
  /** Its first layers only. */
  layers?: number | null;
  shape: BenchShape;
};

/** How fast one product is by itself. */
export type Rate = {
  gflop_per_s: number;
  k: number;
  layout: string;
  /** Terms that LoRA adds to each sum. */
  lora: number;
  m: number;
  n: number;
  /** The kernel's variant; `candle` on the CPU. */
  variant: string;
};

/** A difference counts when it is larger than its interval and than the noise floor. */
export type Reading = "supports" | "contradicts" | "no_difference" | "one_seed";

export type ReadingData = {
  label: string;
  name: Reading;
  /** Beside the word, never colour alone. */
  sign: string;
};

export type Recall = {
  correct: number;
  form: RecallForm;
  n: number;
  split: Split;
};

export type RecallForm = "cloze" | "asked";

/** What keeps an arm near the base, or from learning its set by heart. 0 switches each off. */
export type Regularisers = {
  /** The loss gains this times KL(base || tuned) over the batch's response tokens, full vocabulary. */
  kl_to_base: number;
  /** NEFTune's alpha: noise on the embeddings while training. */
  neftune: number;
  /** Full tuning: decay towards the base's weights (L2-SP) instead of zero, in multiples of the rate. */
  pull: number;
  /** Rows of pre-training text that each batch has beside its examples. */
  replay: number;
  /** AdamW's decoupled weight decay, on all but norms. */
  weight_decay: number;
};

/** How long a row is, before it is cut to a run's `max_len`. */
export type RowTokens = {
  /** Tokens before the answer. */
  prompt: number;
  /** Why no run can use the row; both counts are 0 then. */
  refused?: string | null;
  /** Tokens of the answer and its end. */
  response: number;
};

export type RunEvent = RunInfo & {
  type: "run";
} | StepEvent & {
  type: "step";
} | Measure & {
  type: "measure";
} | ShiftText & {
  type: "text";
} | {
  run: number;
  seconds: number;
  type: "done";
} | WeightsEvent & {
  type: "weights";
} | Strength & {
  type: "strength";
} | Counterfactual & {
  type: "counterfactual";
} | Summary & {
  type: "summary";
};

/** What a run is made of; the lists that later events refer to by index. */
export type RunInfo = {
  /**
   * Rows that the settings add to the instruction set: question and answer. [`super::WrongAnswer::sources`]
   * numbers them after the set's own.
   */
  added?: ([string, string])[];
  arms: ArmInfo[];
  /** Training examples in use, and held-out ones. */
  examples: number;
  /** Facts on the walls, in cell order. */
  facts: WallFact[];
  /** Where it forked from another run, whose steps up to there it shares. */
  fork?: Fork | null;
  heldout: number;
  /** How many facts the base completes correctly, and of how many; where the others were set aside. */
  known?: number[] | null;
  /** "Atlas, 2,016,960 parameters". */
  model: string;
  run: number;
  settings: Settings;
};

/** A recorded run: the file that `driftscope run` writes and the page plays back. */
export type RunRecord = {
  /** What it was recorded on, e.g. "cpu" or "webgpu: llvmpipe". */
  engine: string;
  events: RunEvent[];
  /** Always [`Record::FORMAT`]. */
  format: string;
  /** The instruction set, where it is not the built-in one. */
  instructions?: string | null;
  /** Always [`Record::VERSION`]; a reader refuses others. */
  version: number;
};

export type RunState = "preparing" | "paused" | "running" | "done";

/** A sentence in English, and the name and the values by which the page's catalogue has it in other languages. */
export type Said = {
  english: string;
  name: string;
  values: { [key: string]: SaidValue };
};

/** What fills a placeholder. */
export type SaidValue = string | number;

/**
 * The likeliest token each time, or a draw. The same on both back ends: the noise is a hash of seed,
 * sequence, position and token.
 */
export type Sampling = {
  seed: number;
  /** What logits are divided by: 0 is greedy, otherwise from 0.001 to 100; 1 is the model's own distribution. */
  temperature: number;
  /** Only the likeliest tokens that together have this probability are drawn, 0 to 1; 1 draws among all. */
  top_p: number;
};

/** A picture of the stage; what is left out stays as it is. */
export type Scene = {
  /** The drawer that is open, "" for none. */
  drawer?: string | null;
  fact?: SceneFact | null;
  /** The chart. */
  figure?: string | null;
  /** The panel in sight where there is room for one. */
  panel?: ScenePanel | null;
  /** A recorded experiment, by name. */
  record?: string | null;
  said?: SceneAnswer | null;
  /** The step that is shown; the last where it is beyond it. */
  step?: number | null;
};

export type SceneAnswer = "question" | "fact" | "ask";

/** The first fact of the walls that is so. */
export type SceneFact = {
  arm?: string | null;
  relation?: string | null;
  /** What `arm` makes of it: known, weakened, borrowed, other or malformed. */
  state?: string | null;
  subject?: string | null;
};

export type ScenePanel = "learned" | "known" | "said";

/** Learning-rate schedules of Hugging Face's `get_*_schedule_with_warmup`. */
export type ScheduleKind = "constant" | "linear" | "cosine";

/** Every choice of a run. Fields that are absent in JSON take the default. */
export type Settings = {
  /** Batches whose gradients make up one step. */
  accumulate: number;
  /** Longest answer, in tokens. */
  answer_len: number;
  /** One to [`MOST_ARMS`] arms, which start from the same base and see the same batches. */
  arms: ArmSpec[];
  /** Facts asked in the chat template at each measurement; also the most held-out questions of a conversation. */
  asked: number;
  /** Examples of a batch. */
  batch: number;
  /** Largest global gradient norm; 0 does not clip. */
  clip: number;
  /** How many examples of the instruction set are used; 0 uses all. */
  examples: number;
  /** Which ones, where not all are. */
  filter: Filter;
  /** Whether facts that the base does not complete correctly are set aside before the run. */
  known_only: boolean;
  /** Tokens of an example, prompt and response; longer ones are cut at the end. */
  max_len: number;
  /** Steps between two measurements. */
  measure_every: number;
  /** Facts on invented countries that the set states, each in two examples that replace its last ones. */
  new_facts: number;
  /** Facts on the knowledge walls, most of them *kept*. */
  probes: number;
  /** Kept facts whose object is ranked among those of its relation at each measurement. */
  ranked: number;
  /** Answers that are drawn to one held-out question, before the first step and after the last. */
  samples: number;
  /** Order of the batches and start of the adapters. */
  seed: number;
  /** Held-out prompts whose answers are compared with the base token by token. */
  shift_prompts: number;
  /** Answers without openers and closers, one sentence long. */
  simplified: boolean;
  /** Optimiser steps of each arm; with 0 each is measured as it starts. */
  steps: number;
  /** Rows whose answer names another object, for the counterfactual check. */
  swaps: Swap[];
};

/** One worker's part of a run. Its settings are whole, so that the record says what it would say of one worker. */
export type Share = {
  /** The arms that train here, and [`BASE`] with the worker that answers for it. */
  models: string[];
  /** The run's number, which all workers give it. */
  run: number;
};

/** Token-distribution shift on the tuned model's own greedy answers (Lin et al., arXiv 2312.01552). */
export type Shift = {
  /** The same by what the tokens are for; not in older records. */
  classes?: ClassShift | null;
  /** Mean KL(tuned || base), nats per token. */
  kl: number;
  /** Rank 2 or 3. */
  marginal: number;
  /** Tokens compared. */
  n: number;
  /** The same by position in the response; a record of the command line keeps n and KL of each. */
  positions: PositionShift[];
  /** Rank above 3. */
  shifted: number;
  /** Rank 1 in the base. */
  unshifted: number;
};

/** One answer with what base and arm thought at each token. */
export type ShiftText = {
  arm: string;
  question: string;
  run: number;
  step: number;
  tokens: ShiftToken[];
};

export type ShiftToken = {
  base_logprob: number;
  base_top: ([string, number])[];
  /** KL(tuned || base) at this position, nats. */
  kl: number;
  logprob: number;
  /** Rank of this token in the base's distribution, from 1. */
  rank: number;
  text: string;
  /** The ten likeliest tokens of the arm and of the base with their log-probabilities. */
  top: ([string, number])[];
};

/** The ten largest singular values, falling, of W0 and of W. */
export type Spectrum = {
  base: number[];
  /** For each left singular vector of W the largest |cos| of its angle to any of W0's. */
  nearest: number[];
  tuned: number[];
};

export type Speed = {
  /** Of the first call, which makes the plan and compiles what is not compiled yet. */
  first_ms: number;
  /** Of matrix products, 10^9 operations. */
  gflop: number;
  gflop_per_s: number;
  ms: number;
  /** Over `best_gflop_per_s`. */
  share_of_best: number;
  tokens_per_s: number;
};

/** How a fact relates to the instruction set. */
export type Split = "kept" | "seen" | "new";

/** Several seeds' values of a figure. */
export type Spread = {
  /** Half width of the 95 % interval of the mean (Student); 0 for a single seed and in older records. */
  ci: number;
  mean: number;
  /** Sample standard deviation. */
  sd: number;
};

export type StepEvent = {
  arm: string;
  /** Before clipping. */
  grad_norm: number;
  /** Mean over the batch's response tokens, before the update, nats. */
  loss: number;
  lr: number;
  /** Wall time of the step, milliseconds; on a GPU, where the steps of all arms are queued together, their mean. */
  ms: number;
  run: number;
  /** From 1. */
  step: number;
  /** Response tokens of the batch. */
  tokens: number;
};

/**
 * Measures of `W0 + strength (W - W0)`, where of each intruder dimension of W the share `intruders` is left; it answers
 * questions until the arm takes its next step.
 */
export type Strength = {
  arm: string;
  heldout_loss: number;
  /** 1 in older records. */
  intruders: number;
  /** Nats per token. */
  kl: number;
  /** Everything else that was measured, and an answer; not in older records. */
  measure?: Measure | null;
  /** Of the kept facts. */
  recall_cloze: number;
  run: number;
  step: number;
  strength: number;
  text?: ShiftText | null;
  /** Shares, 0 to 1. */
  unshifted: number;
};

/** Figures over several seeds, one row per condition and arm. */
export type Summary = {
  /** All arms of the runs, in order. */
  arms: SummaryArm[];
  /** All runs in their course. */
  checkpoints: Checkpoint[];
  /** What the paper says. */
  claim: string;
  /** Put to the claim, one by one. */
  comparisons: Comparison[];
  counterfactual?: Counterfactual[];
  /** How well facts lost follow from a divergence, over all arms, rates, seeds and steps. */
  fits?: Fit[];
  /** How much each arm can learn and keep at the same time. */
  frontiers?: Frontier[];
  /** What was to be learned; held-out loss in older records. */
  goal: Metric;
  /** Of a sweep over rates: where each arm's held-out loss is lowest. */
  optima?: Optimum[];
  /** The experiment's name; empty in older records. */
  preset: string;
  rows: SummaryRow[];
  title: string;
  /** What the figures say about the claim, made from the figures. */
  verdict: string;
};

/** An arm as a summary names it. */
export type SummaryArm = {
  id: string;
  label: string;
};

/** Means and spreads over `seeds` at the end of training, or where [`Fairness`] says. */
export type SummaryRow = {
  arm: string;
  /** What is done to the data or the method. */
  condition: string;
  fairness?: Fairness | null;
  figures: { [key: string]: Spread };
  lr: number;
  seeds: number;
};

/** In row `row` (from 0) of the instruction set the answer names `to` where it named `from`. */
export type Swap = {
  from: string;
  row: number;
  to: string;
};

export type SwappedAnswer = {
  /** The answer after the training run with the swapped rows. */
  after: string;
  cell: number;
  from: string;
  to: string;
};

/** The seven linear layers of a Llama block, in the order the engine keeps them. */
export type Target = "q_proj" | "k_proj" | "v_proj" | "o_proj" | "gate_proj" | "up_proj" | "down_proj";

export type Traffic = {
  read_bytes: number;
  submits: number;
  written_bytes: number;
};

export type WallFact = {
  /** The question that asks for the object; empty in older records. */
  asked?: string;
  /** The sentence up to the object, as the model reads it. */
  cloze: string;
  object: string;
  relation: string;
  split: Split;
  subject: string;
};

/** Bytes of the page's WebAssembly: unpacked, and as a host sends it. */
export type WasmSize = {
  brotli: number;
  bytes: number;
  gzip: number;
};

/** One way of training a model, and what it takes here. */
export type Way = {
  /** Bytes of the base and one arm. */
  bytes: number;
  checkpoint: boolean;
  /** Whether every weight trains, and not an adapter. */
  full: boolean;
  /** Why it does not fit; nothing where it does, or where nobody can say. */
  refusal?: string | null;
  /** Milliseconds of a step, estimated from this engine's rate in a short trial. */
  step_ms: number;
  weights: HeldAs;
};

export type WeightsEvent = {
  arm: string;
  /** The linear layers, layer by layer. */
  matrices: MatrixChange[];
  run: number;
  step: number;
};

export type WrongAnswer = {
  answer: string;
  /** Index of the wall fact. */
  cell: number;
  /** Log-probability of the answer after the sentence, nats. */
  logprob?: number | null;
  /**
   * Rows (from 0) of the instruction set that state this answer for another subject; after its last row come
   * those of [`super::RunInfo::added`].
   */
  sources: number[];
};
