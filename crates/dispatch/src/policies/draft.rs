//! A tenant's set on its way in: its bounds, and its compiling off the threads that answer
//! requests. Must not know what is in force.

use aegis_model::api::{PolicyDraft, PolicyDraftSet};
use aegis_model::counter::{Counter, CounterKey};
use aegis_model::decision::PolicyLayer;
use aegis_model::policy::{POLICIES_MAX, POLICIES_SIZE_MAX_BYTES, Policy, PolicyMode};
use aegis_model::{Code, Fault};
use aegis_policy::{ActionName, PolicySet, PolicySource, SetProblem};
use tokio::sync::Semaphore;

use super::judge::is_countable;

/// How many drafts are compiled at once: a large one keeps a processor busy for a while.
static COMPILING: Semaphore = Semaphore::const_new(1);
/// How many may wait for it: each is held in memory meanwhile.
static WAITING: Semaphore = Semaphore::const_new(16);
/// How many problems of a set are told.
const PROBLEMS_MAX: usize = 100;

/// A tenant's set, compiled.
#[derive(Debug)]
pub struct Compiled {
    /// What was compiled.
    pub draft: PolicyDraftSet,
    /// What counts of it.
    pub enforced: PolicySet,
    /// What would count if all of it did, where that is more.
    pub trial: Option<PolicySet>,
}

/// Compiles a draft.
///
/// # Errors
/// `PolicyInvalid`, naming each problem with line and column; `Validation` when it is too large.
pub async fn compiled(draft: PolicyDraft, pointer: &'static str) -> Result<Compiled, Fault> {
    let (draft, whole) = match draft {
        PolicyDraft::Set(set) => (set, None),
        PolicyDraft::Text(text) => (PolicyDraftSet::default(), Some(text)),
    };
    check_bounds(&draft, whole.as_deref(), pointer)?;
    let full = |_| Fault::new(Code::Overloaded, "as many policies are being compiled as the server takes at once");
    let _place = WAITING.try_acquire().map_err(full)?;
    let turn = COMPILING.acquire().await.map_err(Fault::internal)?;
    let compiling = tokio::task::spawn_blocking(move || {
        // Whoever asked may have gone: the turn is over when the work is.
        let _turn = turn;
        compile(draft, whole, pointer)
    });
    compiling.await.map_err(Fault::internal)?
}

/// Compiles what was valid when it was put in force. It waits for nobody's draft.
///
/// # Errors
/// As [`compiled`].
pub async fn compiled_anew(draft: PolicyDraftSet) -> Result<Compiled, Fault> {
    tokio::task::spawn_blocking(move || compile(draft, None, "")).await.map_err(Fault::internal)?
}

fn check_bounds(draft: &PolicyDraftSet, whole: Option<&str>, pointer: &str) -> Result<(), Fault> {
    if draft.policies.len() > POLICIES_MAX {
        let rule = format!("a set has at most {POLICIES_MAX} policies");
        return Err(Fault::new(Code::Validation, rule).at(&format!("{pointer}/policies")));
    }
    let size: usize = draft.policies.iter().map(|policy| policy.text.len()).sum();
    if size + whole.map_or(0, str::len) > POLICIES_SIZE_MAX_BYTES {
        let rule = format!("the policies are longer than {POLICIES_SIZE_MAX_BYTES} bytes together");
        return Err(Fault::new(Code::Validation, rule).at(pointer));
    }
    Ok(())
}

/// One text has no name of its own; its rules are called `draft/1`, `draft/2`, ….
fn compile(draft: PolicyDraftSet, whole: Option<String>, pointer: &str) -> Result<Compiled, Fault> {
    let source = |policy: &Policy| PolicySource { id: policy.name.to_string(), text: policy.text.clone() };
    let whole = whole.map(|text| PolicySource { id: "draft".to_owned(), text });
    let all: Vec<PolicySource> = draft.policies.iter().map(source).chain(whole.clone()).collect();
    let counting = draft.policies.iter().filter(|policy| policy.mode == PolicyMode::Enforce);
    let enforced: Vec<PolicySource> = counting.map(source).chain(whole).collect();
    let compiled = |sources: &[PolicySource]| {
        PolicySet::compile_with(PolicyLayer::Tenant, sources, &draft.counters)
            .map_err(|problems| invalid(&draft, problems, pointer))
    };
    check_counted(&draft.counters, pointer)?;
    let complete = compiled(&all)?;
    if complete.len() > POLICIES_MAX {
        let rule = format!("the policies hold {} rules; at most {POLICIES_MAX} are taken", complete.len());
        return Err(Fault::new(Code::Validation, rule).at(pointer));
    }
    match enforced.len() == all.len() {
        true => Ok(Compiled { draft, enforced: complete, trial: None }),
        false => Ok(Compiled { enforced: compiled(&enforced)?, trial: Some(complete), draft }),
    }
}

/// A counter counts only what is committed: nothing would be counted otherwise, unnoticed.
fn check_counted(counters: &[Counter], pointer: &str) -> Result<(), Fault> {
    for (index, counter) in counters.iter().enumerate() {
        if counter.per.contains(&CounterKey::Session) {
            let rule = format!("counter `{}`: nothing that is counted yet belongs to a session", counter.name);
            return Err(Fault::new(Code::PolicyInvalid, rule).at(&format!("{pointer}/counters/{index}/per")));
        }
        let known = counter.actions.iter().filter_map(|name| ActionName::by_name(name));
        if let Some(action) = known.into_iter().find(|action| !is_countable(*action)) {
            let rule = format!("counter `{}`: `{action}` cannot be counted, only what changes state", counter.name);
            return Err(Fault::new(Code::PolicyInvalid, rule).at(&format!("{pointer}/counters/{index}/actions")));
        }
    }
    Ok(())
}

fn invalid(draft: &PolicyDraftSet, problems: Vec<SetProblem>, pointer: &str) -> Fault {
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let place = problems.first().and_then(|problem| place(draft, problem));
    let at = place.map_or_else(|| pointer.to_owned(), |place| format!("{pointer}{place}"));
    let count = problems.len();
    let shown: Vec<SetProblem> = problems.into_iter().take(PROBLEMS_MAX).collect();
    Fault::new(Code::PolicyInvalid, format!("the policies are not valid: {first}"))
        .at(&at)
        .with("problems", serde_json::json!(shown))
        .with("problems_count", count)
}

fn place(draft: &PolicyDraftSet, problem: &SetProblem) -> Option<String> {
    match problem {
        SetProblem::Policy(problem) => {
            let found = draft.policies.iter().position(|policy| policy.name.as_str() == problem.id)?;
            Some(format!("/policies/{found}/text"))
        }
        SetProblem::Counter(problem) => {
            let found = draft.counters.iter().position(|counter| counter.name == problem.counter)?;
            Some(format!("/counters/{found}"))
        }
    }
}
