//! Lessons: steps that act on the stage, as a file. Those that ship are in `www/lessons`; docs/lessons.md says how to write
//! one. Only the page reads them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text by language: `{"en": "…", "de": "…"}`.
type Words = BTreeMap<String, String>;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// Always [`Lesson::FORMAT`].
    format: String,
    /// Always [`Lesson::VERSION`].
    version: u32,
    title: Words,
    steps: Vec<LessonStep>,
}

impl Lesson {
    pub const FORMAT: &'static str = "driftscope-lesson";
    pub const VERSION: u32 = 1;
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LessonStep {
    title: Words,
    text: Words,
    /// Sentences made from figures: `{recall_cloze full}`, `{heldout_loss base}`, `{verdict}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Words>,
    /// What to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    look: Option<Words>,
    /// What the stage shows once the step is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    scene: Option<Scene>,
    #[serde(default)]
    actions: Vec<LessonAction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<LessonQuestion>,
    /// Whether the visitor guesses which arm forgets most.
    #[serde(default)]
    guess: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LessonQuestion {
    ask: Words,
    answer: Words,
}

/// A button.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LessonAction {
    label: Words,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene: Option<Scene>,
    /// Settings of the next run, as a link has them: `arm=lora+r=4&arm=full&steps=100`.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<LessonVerb>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LessonVerb {
    /// Play what is shown, from its start.
    Play,
    /// Begin a new run in the engine, and play.
    Train,
    Pause,
    /// One update of each arm.
    Step,
    Reset,
}

/// A picture of the stage; what is left out stays as it is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Scene {
    /// A recorded experiment, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    /// The step that is shown; the last where it is beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<u32>,
    /// The chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<String>,
    /// The panel in sight where there is room for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    panel: Option<ScenePanel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<SceneAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fact: Option<SceneFact>,
    /// The drawer that is open, "" for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawer: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ScenePanel {
    Learned,
    Known,
    Said,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SceneAnswer {
    Question,
    Fact,
    Ask,
}

/// The first fact of the walls that is so.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SceneFact {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation: Option<String>,
    /// What `arm` makes of it: known, weakened, borrowed, other or malformed.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arm: Option<String>,
}

/// Those that ship have no field that the page does not know, and none is missing.
#[test]
fn lessons_that_ship_are_lessons() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("www/lessons");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 2);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lesson: Lesson =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!((lesson.format.as_str(), lesson.version), (Lesson::FORMAT, Lesson::VERSION));
    }
}
