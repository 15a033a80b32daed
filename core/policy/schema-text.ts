/** The published schema; `sshtrail.cedarschema` beside this file is the same text for editors and the Cedar command line. */
export const policySchema = `// The words a policy may use. Cedar refuses a policy that uses any other, before it is ever asked.

// Groups of an identity, as the configuration lists them.
entity Group;

// Whoever proved who they are. The id is the identity's name.
entity User in [Group] {
  name: String,
  // "person" or "service".
  kind: String,
};

// One for each label of a target: HostGroup::"env=prod" holds every target labelled env: prod.
entity HostGroup;

// A target. The id is its name; its labels are tags: resource.hasTag("env") && resource.getTag("env") == "prod".
entity Host in [HostGroup] {
  name: String,
  // Address and port as the configuration has them.
  host: String,
  port: Long,
} tags String;

// All of it: System::"sshtrail". It is in no group and has no labels, its host is "" and its port 0.
entity System {
  name: String,
  host: String,
  port: Long,
} tags String;

// What is known at every question.
type Circumstances = {
  // The account on the target that was asked for.
  login: String,
  // Was a second factor proved for this connection?
  mfa: Bool,
  // "totp", "recovery-code", "fido2" (a security key that verified its user), "iam", "identity-center-asserted" or "none".
  mfaMethod: String,
  // Seconds since the second factor was proved; 9007199254740991 where there was none.
  mfaAgeSeconds: Long,
  // Where the engineer connects from. An IPv4 address in IPv6 form (::ffff:192.0.2.1) arrives as IPv4.
  sourceIp: ipaddr,
  // Now.
  time: datetime,
  // 0 to 23, in UTC.
  hour: Long,
  // Monday 1 to Sunday 7, in UTC.
  dayOfWeek: Long,
  // Why, in the engineer's words; "" where none were given.
  reason: String,
  // Did somebody else grant just this? How many did, and is it a grant for an emergency, which nobody had to approve?
  approved: Bool,
  approvals: Long,
  breakGlass: Bool,
  // Sessions the identity has on all gateways, without the one that is asked about; known for connect.
  sessionCount?: Long,
};

type Command = {
  login: String, mfa: Bool, mfaMethod: String, mfaAgeSeconds: Long, sourceIp: ipaddr, time: datetime, hour: Long,
  dayOfWeek: Long, reason: String, approved: Bool, approvals: Long, breakGlass: Bool, sessionCount?: Long,
  // The whole command line as it was sent, or as the terminal showed it when it was to be accepted.
  command: String,
  // The first word of it, where it could be told.
  program?: String,
  // Whether it plainly asks for another account's rights: sudo, su, doas, pkexec, run0, runuser.
  privileged: Bool,
};

type Subsystem = {
  login: String, mfa: Bool, mfaMethod: String, mfaAgeSeconds: Long, sourceIp: ipaddr, time: datetime, hour: Long,
  dayOfWeek: Long, reason: String, approved: Bool, approvals: Long, breakGlass: Bool, sessionCount?: Long,
  // E.g. "sftp".
  subsystem: String,
};

type Transfer = {
  login: String, mfa: Bool, mfaMethod: String, mfaAgeSeconds: Long, sourceIp: ipaddr, time: datetime, hour: Long,
  dayOfWeek: Long, reason: String, approved: Bool, approvals: Long, breakGlass: Bool, sessionCount?: Long,
  // The path on the target, from the root on, where it is known when the question is asked.
  path?: String,
  // How long the file is, where that is said beforehand: by scp towards the target alone.
  bytes?: Long,
  // "sftp", "scp", "rsync" or "git".
  program?: String,
};

type Forward = {
  login: String, mfa: Bool, mfaMethod: String, mfaAgeSeconds: Long, sourceIp: ipaddr, time: datetime, hour: Long,
  dayOfWeek: Long, reason: String, approved: Bool, approvals: Long, breakGlass: Bool, sessionCount?: Long,
  // Where it leads (forwardLocal) or listens (forwardRemote). "" and 0 for a Unix socket.
  host: String,
  port: Long,
  // Path of the Unix socket; "" for TCP.
  path: String,
};

// Every action is in one of these groups: action in Action::"forward".
action session, transfer, forward, oversight;

// Open a connection to the target at all. Without it nothing else is asked.
action connect in [session] appliesTo { principal: [User], resource: [Host], context: Circumstances };
// An interactive shell.
action shell in [session] appliesTo { principal: [User], resource: [Host], context: Circumstances };
// A command given to ssh: ssh target uptime.
action exec in [session] appliesTo { principal: [User], resource: [Host], context: Command };
// A command that is about to run: asked beside exec, and for each line of a shell where a policy is about single commands.
action command in [session] appliesTo { principal: [User], resource: [Host], context: Command };
action subsystem in [session] appliesTo { principal: [User], resource: [Host], context: Subsystem };
// Files towards the target, and from it.
action upload in [transfer] appliesTo { principal: [User], resource: [Host], context: Transfer };
action download in [transfer] appliesTo { principal: [User], resource: [Host], context: Transfer };
// ssh -L, -D and -W, ssh -R, ssh -A, ssh -X.
action forwardLocal in [forward] appliesTo { principal: [User], resource: [Host], context: Forward };
action forwardRemote in [forward] appliesTo { principal: [User], resource: [Host], context: Forward };
action forwardAgent in [forward] appliesTo { principal: [User], resource: [Host], context: Circumstances };
action forwardX11 in [forward] appliesTo { principal: [User], resource: [Host], context: Circumstances };
// What others asked for: grant a request for access to the target. context.login is the account it is for.
action approve in [oversight] appliesTo { principal: [User], resource: [Host], context: Circumstances };
// End a session on the target, make and lift a lock of the target; context.login is the account, "" where a lock names none.
// A lock that names no target is about System::"sshtrail".
action revoke in [oversight] appliesTo { principal: [User], resource: [Host, System], context: Circumstances };
// What was recorded: play it, search and query it, take evidence away. context.login is "".
action viewRecording in [oversight] appliesTo { principal: [User], resource: [System], context: Circumstances };
action query in [oversight] appliesTo { principal: [User], resource: [System], context: Circumstances };
action export in [oversight] appliesTo { principal: [User], resource: [System], context: Circumstances };
`;
