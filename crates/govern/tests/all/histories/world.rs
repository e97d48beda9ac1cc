//! People, keys and policies in which histories happen; and how a history becomes real events.

use std::sync::LazyLock;

use solvent_base::Digest;
use solvent_govern::Governance;
use solvent_govern::risk::{assess, classify};
use solvent_govern::signature::SoftwareKey;
use solvent_protocol::approval::{ApprovalStatement, NAMESPACE, Presence, SignedApproval, Verdict};
use solvent_protocol::change::{
    Assessment, Disposition, Event, EventKind, Exposure, Listing, Revision, RiskClass, RiskInputs,
    Tests, Verification,
};
use solvent_protocol::record::{Actor, ActorKind};
use ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, Signature, SshSig};

pub const DAY: i64 = 86_400_000;
pub const START: i64 = 1_795_000_000_000;
/// The change whose history it is, and another.
pub const CHANGES: [&str; 2] = ["c-1", "c-2"];

/// Who may do what in a world, as the definition knows it.
pub struct Someone {
    pub id: &'static str,
    pub approves: Right,
    pub merges: Right,
    pub suspended: bool,
    /// Indices into the key ring; the token's where there is one.
    pub pens: &'static [usize],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    Yes,
    No,
}

pub const PEOPLE: [Someone; 8] = [
    someone("ana", Right::Yes, Right::Yes, &[0]),
    someone("ben", Right::Yes, Right::No, &[1, 2]),
    someone("eve", Right::Yes, Right::No, &[3, 4]),
    someone("kim", Right::Yes, Right::Yes, &[5]),
    someone("lea", Right::Yes, Right::Yes, &[6]),
    someone("max", Right::No, Right::Yes, &[7]),
    someone("ned", Right::No, Right::No, &[8]),
    Someone {
        id: "sid",
        approves: Right::Yes,
        merges: Right::Yes,
        suspended: true,
        pens: &[9],
    },
];

const fn someone(
    id: &'static str,
    approves: Right,
    merges: Right,
    pens: &'static [usize],
) -> Someone {
    Someone {
        id,
        approves,
        merges,
        suspended: false,
        pens,
    }
}

/// Agents that the folder lists, with their owners. `chief` is in every role.
pub const AGENTS: [(&str, &str); 2] = [("fixer", "ana"), ("chief", "ned")];

/// Every person's pens are tokens, but ned's and the last, which is nobody's.
pub const PENS: usize = 11;
pub const SOFTWARE: [usize; 3] = [2, 8, 10];
pub const NOBODYS: usize = 10;

/// What signs: a software key, or a token that this test plays.
enum Pen {
    Software(SoftwareKey),
    Token(ed25519_dalek::SigningKey),
}

static RING: LazyLock<Vec<Pen>> = LazyLock::new(|| {
    (0..PENS)
        .map(|at| {
            let seed = *Digest::of(format!("pen {at}").as_bytes()).as_bytes();
            if SOFTWARE.contains(&at) {
                Pen::Software(SoftwareKey::from_seed(&seed))
            } else {
                Pen::Token(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
        })
        .collect()
});

fn token_key(key: &ed25519_dalek::SigningKey) -> KeyData {
    let point = Ed25519PublicKey(key.verifying_key().to_bytes());
    KeyData::SkEd25519(SkEd25519::new(point, "ssh:"))
}

/// The public key's text.
pub fn public(pen: usize) -> String {
    match &RING[pen] {
        Pen::Software(key) => key.public().text(),
        Pen::Token(key) => PublicKey::from(token_key(key)).to_openssh().unwrap(),
    }
}

/// Signs as `ssh-keygen -Y sign` would with that key; a token is touched or not.
pub fn sign(pen: usize, bytes: &[u8], touched: Touched) -> String {
    let key = match &RING[pen] {
        Pen::Software(key) => return key.sign(bytes).unwrap(),
        Pen::Token(key) => key,
    };
    let signed = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, bytes).unwrap();
    let trailer = [u8::from(touched == Touched::Yes), 0, 0, 0, 7];
    let mut message = Digest::of(b"ssh:").as_bytes().to_vec();
    message.extend(trailer);
    message.extend(Digest::of(&signed).as_bytes());
    let mut raw = ed25519_dalek::Signer::sign(key, &message).to_vec();
    raw.extend(trailer);
    let signature = Signature::new(Algorithm::SkEd25519, raw).unwrap();
    SshSig::new(token_key(key), NAMESPACE, HashAlg::Sha512, signature)
        .unwrap()
        .to_pem(LineEnding::LF)
        .unwrap()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touched {
    Yes,
    No,
}

/// The settings that a definition needs.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub quorum: [u32; 3],
    pub production: bool,
    pub simulated: bool,
    /// Whether CWE-89 is listed as low risk.
    pub listed: bool,
    pub lifetime_days: i64,
}

/// A protected branch's policy, and what a change would like it to be.
pub struct World {
    pub rules: Rules,
    pub base: Governance,
    /// Read from the change's own head: everything is allowed.
    pub loose_rules: Rules,
    pub loose: Governance,
}

pub static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| {
    let rules = Rules {
        quorum: [1, 1, 2],
        production: false,
        simulated: false,
        listed: true,
        lifetime_days: 7,
    };
    [
        rules,
        Rules {
            production: true,
            lifetime_days: 3,
            ..rules
        },
        Rules {
            quorum: [1, 2, 3],
            simulated: true,
            ..rules
        },
        Rules {
            quorum: [2, 2, 2],
            listed: false,
            ..rules
        },
    ]
    .into_iter()
    .map(|rules| {
        let loose_rules = Rules {
            quorum: [1, 1, 1],
            production: false,
            lifetime_days: 90,
            ..rules
        };
        World {
            rules,
            base: governance(&revision(0).base, &rules),
            loose_rules,
            loose: governance(&revision(0).head, &loose_rules),
        }
    })
    .collect()
});

/// The policy folder's files under these rules.
pub fn folder(rules: &Rules) -> Vec<(String, String)> {
    let mut people = String::new();
    for person in &PEOPLE {
        let mut roles = vec!["tester"];
        if person.approves == Right::Yes {
            roles.push("approver");
        }
        if person.merges == Right::Yes {
            roles.push("merger");
        }
        let keys: Vec<String> = person.pens.iter().map(|&pen| public(pen)).collect();
        people.push_str(&format!(
            "[[person]]\nid = \"{}\"\nroles = {roles:?}\nkeys = {keys:?}\nsuspended = {}\nsimulated = {}\n",
            person.id, person.suspended, rules.simulated
        ));
    }
    for (id, owner) in AGENTS {
        let roles = if id == "chief" {
            "\"owner\", \"approver\", \"merger\""
        } else {
            "\"remediator\""
        };
        people.push_str(&format!(
            "[[agent]]\nid = \"{id}\"\nowner = \"{owner}\"\nroles = [{roles}]\n"
        ));
    }
    let [low, medium, high] = rules.quorum;
    let settings = format!(
        "production = {}\napproval_days = {}\nlow_risk = [{}]\n[quorum]\nlow = {low}\nmedium = {medium}\nhigh = {high}\n",
        rules.production,
        rules.lifetime_days,
        if rules.listed { "\"CWE-89\"" } else { "" }
    );
    vec![
        ("solvent-policy/people.toml".to_owned(), people),
        ("solvent-policy/governance.toml".to_owned(), settings),
    ]
}

fn governance(commit: &str, rules: &Rules) -> Governance {
    Governance::read(commit, &folder(rules)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Two revisions share a base where their numbers differ by less than ten.
pub fn revision(number: usize) -> Revision {
    let id = |what: &str, number: usize| {
        let mut id = Digest::of(format!("{what} {number}").as_bytes()).hex();
        id.truncate(40);
        id
    };
    Revision {
        base: id("base", number / 10),
        head: id("head", number),
        tree: id("tree", number),
        diff: Digest::of(format!("diff {number}").as_bytes()),
    }
}

/// What a change looks like to the one who classifies it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Low where the weakness is listed.
    Small,
    Middling,
    Pipeline,
    /// It touches the policy folder.
    Policy,
    /// It touches the policy folder, and the record says low.
    PolicySaidToBeLow,
}

pub fn assessment(look: Look) -> Assessment {
    let path = match look {
        Look::Small | Look::Middling => "shop/orders.py",
        Look::Pipeline => ".github/workflows/ci.yml",
        Look::Policy | Look::PolicySaidToBeLow => "solvent-policy/people.toml",
    };
    let inputs = RiskInputs {
        paths: vec![path.to_owned()],
        lines: 6,
        weakness: "CWE-89".to_owned(),
        listed: Listing::Listed,
        exposure: Exposure::Public,
        tests: if look == Look::Middling {
            Tests::Unmeasured
        } else {
            Tests::Passed
        },
        disposition: Disposition::Mechanical,
    };
    if look == Look::PolicySaidToBeLow {
        assert_eq!(classify(&inputs), RiskClass::High);
        return Assessment {
            class: RiskClass::Low,
            inputs,
            reasons: vec!["low: trust me".to_owned()],
        };
    }
    assess(inputs)
}

#[derive(Clone, Debug)]
pub struct Step {
    pub at: i64,
    pub kind: ActorKind,
    pub who: &'static str,
    pub behalf: Option<&'static str>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Propose {
        author: &'static str,
        revision: usize,
        look: Look,
    },
    Push {
        revision: usize,
        look: Look,
    },
    Verify {
        revision: usize,
        outcome: Verification,
    },
    Approve(Signed),
    Withdraw,
    Reject,
    /// To the rules of the base (0) or to others.
    PolicyChange(usize),
    Merge,
}

/// An approval, and the truth about it.
#[derive(Clone, Debug)]
pub struct Signed {
    pub change: usize,
    pub approver: &'static str,
    pub revision: usize,
    pub risk: RiskClass,
    pub policy: usize,
    pub expires: i64,
    /// The key that is named, and the key that signed.
    pub named: usize,
    pub pen: usize,
    pub touched: Touched,
    /// The statement was altered after it was signed.
    pub altered: bool,
}

/// Digest of the base's rules (0), of the change's own (1), of some others.
pub fn policy(world: &World, which: usize) -> Digest {
    match which {
        0 => world.base.digest(),
        1 => world.loose.digest(),
        other => Digest::of(format!("policy {other}").as_bytes()),
    }
}

/// The events as the recorder would have written them.
pub fn real(world: &World, steps: &[Step]) -> Vec<Event> {
    steps
        .iter()
        .map(|step| Event {
            at_ms: step.at,
            actor: Actor {
                id: step.who.to_owned(),
                kind: step.kind,
                on_behalf_of: step.behalf.map(str::to_owned),
            },
            kind: match &step.what {
                What::Propose {
                    author,
                    revision: number,
                    look,
                } => EventKind::Proposed {
                    author: (*author).to_owned(),
                    revision: revision(*number),
                    risk: assessment(*look),
                },
                What::Push {
                    revision: number,
                    look,
                } => EventKind::Pushed {
                    revision: revision(*number),
                    risk: assessment(*look),
                },
                What::Verify {
                    revision: number,
                    outcome,
                } => EventKind::Verified {
                    revision: revision(*number),
                    outcome: *outcome,
                },
                What::Approve(signed) => EventKind::Approved {
                    approval: Box::new(approval(world, signed)),
                },
                What::Withdraw => EventKind::Withdrawn {},
                What::Reject => EventKind::Rejected {
                    reason: "not like this".to_owned(),
                },
                What::PolicyChange(which) => EventKind::PolicyChanged {
                    policy: policy(world, *which),
                },
                What::Merge => EventKind::Merged {
                    commit: "c".repeat(40),
                    tree: "d".repeat(40),
                },
            },
        })
        .collect()
}

fn approval(world: &World, signed: &Signed) -> SignedApproval {
    let mut statement = ApprovalStatement {
        verdict: Verdict::Approve,
        change: CHANGES[signed.change].to_owned(),
        approver: signed.approver.to_owned(),
        risk: signed.risk,
        revision: revision(signed.revision),
        policy: policy(world, signed.policy),
        expires_ms: signed.expires,
    };
    let truth = statement.clone();
    if signed.altered {
        // What was signed had another tree.
        statement.revision.tree = revision(99).tree;
    }
    let bytes = statement.to_bytes().unwrap();
    SignedApproval {
        signature: sign(signed.pen, &bytes, signed.touched),
        key: public(signed.named),
        statement: truth,
        // What the recorder claims is never believed.
        presence: Presence::Shown,
    }
}
