//! The tree: what the parser gives and every later reader (levels, scopes, compiler) takes.
//!
//! Shape: one arena per sort of node, ids are indices. Nothing is boxed into itself, so that a tree of any
//! shape is dropped without recursion. A node never changes after scope analysis.
//!
//! Invariants
//! - every id in a tree indexes an arena of the same tree;
//! - a child's span lies within its parent's; `spans` run parallel to their arenas;
//! - after `scope::analyse` every `Ref` that is an identifier has a `Resolution`;
//! - strings are UTF-16 code units (a literal may hold lone surrogates).
//!
//! Must never know: the engine.

/// Byte offsets into the source text, half open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

macro_rules! ids { ($($(#[$m:meta])* $n:ident),* $(,)?) => { $(
    $(#[$m])*
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct $n(pub u32);
    impl $n { #[inline] pub fn index(self) -> usize { self.0 as usize } }
)* } }
ids! {
    /// An expression.
    ExprId,
    /// A statement or declaration.
    StmtId,
    /// A binding or assignment pattern.
    PatId,
    /// A function, method, accessor, arrow, class field initialiser or static block; 0 is the program itself.
    FuncId,
    ClassId,
    ScopeId,
    BindingId,
    /// One occurrence of an identifier as a variable.
    RefId,
    /// An interned string of UTF-16 code units.
    NameId,
}

/// What the source was parsed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A strict script; its top-level declarations are local to it.
    Script,
    Module,
    /// One expression and nothing else (`confine`, Justin).
    Expression,
}

/// A parsed program. `functions[0]` is the program itself.
#[derive(Debug)]
pub struct Tree {
    pub goal: Goal,
    pub exprs: Vec<Expr>,
    pub expr_spans: Vec<Span>,
    pub stmts: Vec<Stmt>,
    pub stmt_spans: Vec<Span>,
    pub pats: Vec<Pat>,
    pub pat_spans: Vec<Span>,
    pub functions: Vec<Function>,
    pub classes: Vec<Class>,
    pub names: Vec<Box<[u16]>>,
    pub refs: Vec<Ref>,
    pub scopes: Vec<Scope>,
    pub bindings: Vec<Binding>,
    pub module: ModuleInfo,
}

#[derive(Clone, Debug)]
pub enum Expr {
    /// Recovery after a syntax error: a tree with errors has these, one without never does.
    Error,
    Null,
    Bool(bool),
    Number(f64),
    /// The digits without `n` and `_`, with their `0x`/`0o`/`0b` prefix.
    BigInt(NameId),
    String(NameId),
    Template { quasis: Vec<Quasi>, exprs: Vec<ExprId> },
    TaggedTemplate { tag: ExprId, quasis: Vec<Quasi>, exprs: Vec<ExprId> },
    RegExp { body: NameId, flags: NameId },
    Ident(RefId),
    This,
    NewTarget,
    ImportMeta,
    Array(Vec<Element>),
    Object(Vec<Property>),
    /// Function expression, arrow; for methods see `Property`.
    Function(FuncId),
    Class(ClassId),
    Unary { op: UnaryOp, arg: ExprId },
    /// `++`/`--`; `target` is `Ident`, `Member`, `Index`, `Private` or a super form.
    Update { inc: bool, prefix: bool, target: ExprId },
    Binary { op: BinaryOp, left: ExprId, right: ExprId },
    /// `#name in right`.
    PrivateIn { name: NameId, right: ExprId },
    Logical { op: LogicalOp, left: ExprId, right: ExprId },
    Cond { test: ExprId, then: ExprId, other: ExprId },
    /// `target = value`.
    Assign { target: PatId, value: ExprId },
    /// `target op= value`; `target` as for `Update`.
    AssignOp { op: BinaryOp, target: ExprId, value: ExprId },
    /// `target &&= value` and its kin.
    AssignLogical { op: LogicalOp, target: ExprId, value: ExprId },
    Sequence(Vec<ExprId>),
    /// `( e )`, kept since levels and function naming look at it.
    Paren(ExprId),
    Member { object: ExprId, name: NameId, optional: bool },
    Index { object: ExprId, index: ExprId, optional: bool },
    Private { object: ExprId, name: NameId, optional: bool },
    SuperMember { name: NameId },
    SuperIndex { index: ExprId },
    Call { callee: ExprId, args: Vec<Element>, optional: bool },
    SuperCall { args: Vec<Element> },
    New { callee: ExprId, args: Vec<Element> },
    /// A whole optional chain: `?.` inside `chain` that meets null or undefined makes this undefined.
    Chain(ExprId),
    /// `target ~. …`; one send, never a get followed by a call.
    Send { target: ExprId, form: SendForm, args: Vec<Element>, send_only: bool },
    Await(ExprId),
    Yield { arg: Option<ExprId>, delegate: bool },
    ImportCall { specifier: ExprId, options: Option<ExprId> },
}

/// The five forms of an eventual send. `args` is empty for the gets.
#[derive(Clone, Debug)]
pub enum SendForm {
    /// `x ~. p`
    Get(NameId),
    /// `x ~. [i]`
    GetIndex(ExprId),
    /// `x ~. m(a)`
    Method(NameId),
    /// `x ~. [i](a)`
    MethodIndex(ExprId),
    /// `x ~. (a)`
    Apply,
}

/// An item of an array literal or of an argument list.
#[derive(Clone, Copy, Debug)]
pub enum Element {
    /// `[1,,2]`: arrays only.
    Hole,
    Item(ExprId),
    Spread(ExprId),
}

/// A piece of a template between substitutions.
#[derive(Clone, Copy, Debug)]
pub struct Quasi {
    /// `None` where an escape is malformed (legal in a tagged template only).
    pub cooked: Option<NameId>,
    pub raw: NameId,
}

#[derive(Clone, Debug)]
pub enum Property {
    /// `key: value`, and shorthand `a` (then `shorthand`; the key is the name and value an `Ident`).
    Value { key: Key, value: ExprId, shorthand: bool },
    /// `__proto__: value` (not shorthand, not computed): sets the prototype.
    Proto(ExprId),
    Method { key: Key, func: FuncId },
    Getter { key: Key, func: FuncId },
    Setter { key: Key, func: FuncId },
    Spread(ExprId),
}

/// A property key as written. A numeric literal key is already its canonical string.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    Name(NameId),
    Computed(ExprId),
    /// Classes only, without `#`.
    Private(NameId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp { Neg, Plus, Not, BitNot, TypeOf, Void, Delete }

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add, Sub, Mul, Div, Mod, Exp, BitAnd, BitOr, BitXor, Shl, Shr, UShr,
    Eq, NotEq, StrictEq, StrictNotEq, Less, LessEq, Greater, GreaterEq, In, InstanceOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalOp { And, Or, Coalesce }

/// A target: of a declaration, a parameter, or an assignment.
#[derive(Clone, Debug)]
pub enum Pat {
    Error,
    /// A name that is declared here.
    Binding(BindingId),
    /// Assignment to an existing place: `Ident`, `Member`, `Index`, `Private` or a super form, maybe in parentheses.
    Target(ExprId),
    /// `pattern = default`
    Default { pat: PatId, value: ExprId },
    Array { items: Vec<Option<PatId>>, rest: Option<PatId> },
    Object { props: Vec<PatProp>, rest: Option<PatId> },
}

#[derive(Clone, Copy, Debug)]
pub struct PatProp {
    pub key: Key,
    pub value: PatId,
    pub shorthand: bool,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Error,
    Empty,
    Debugger,
    Expr(ExprId),
    Var { kind: VarKind, decls: Vec<Declarator> },
    /// Hoisted: initialised at the entry of its scope (see `Scope::functions`).
    Function { binding: BindingId, func: FuncId },
    Class { binding: BindingId, class: ClassId },
    Block { scope: ScopeId, body: Vec<StmtId> },
    If { test: ExprId, then: StmtId, other: Option<StmtId> },
    While { test: ExprId, body: StmtId },
    DoWhile { body: StmtId, test: ExprId },
    /// `scope` holds the `let`/`const` of `init`. A `let` binding that is captured is fresh in each round.
    For { scope: ScopeId, init: Option<StmtId>, test: Option<ExprId>, update: Option<ExprId>, body: StmtId },
    /// `head` is a declaration pattern when `decl` says so, else an assignment pattern. `scope` is fresh each round.
    ForIn { scope: ScopeId, decl: Option<VarKind>, head: PatId, object: ExprId, body: StmtId },
    ForOf { scope: ScopeId, decl: Option<VarKind>, head: PatId, object: ExprId, body: StmtId, is_await: bool },
    /// One scope for all cases.
    Switch { scope: ScopeId, on: ExprId, cases: Vec<Case> },
    Return(Option<ExprId>),
    Throw(ExprId),
    Break(Option<NameId>),
    Continue(Option<NameId>),
    Labelled { label: NameId, body: StmtId },
    /// `catch_scope` holds the parameter's names; the handler's block has a scope of its own.
    Try { block: StmtId, handler: Option<Catch>, finalizer: Option<StmtId> },
    /// Details in `ModuleInfo`.
    Import,
    /// `export { … }` and `export … from`: details in `ModuleInfo`.
    ExportList,
    /// `export const …`, `export function …`, `export class …`.
    ExportDecl(StmtId),
    /// `export default <expression>`: assigned to the binding `*default*`.
    ExportDefault { binding: BindingId, value: ExprId },
}

#[derive(Clone, Copy, Debug)]
pub struct Catch {
    pub scope: ScopeId,
    pub param: Option<PatId>,
    pub body: StmtId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarKind { Var, Let, Const }

#[derive(Clone, Copy, Debug)]
pub struct Declarator {
    pub target: PatId,
    pub init: Option<ExprId>,
}

#[derive(Clone, Debug)]
pub struct Case {
    /// `None` for `default`.
    pub test: Option<ExprId>,
    pub body: Vec<StmtId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuncKind {
    /// The program: script, module or expression.
    Program,
    Normal,
    Arrow,
    Method,
    Getter,
    Setter,
    Constructor { derived: bool },
    /// A class field's initialiser or a static block, called once with `this`.
    ClassInit,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub kind: FuncKind,
    pub is_async: bool,
    pub is_generator: bool,
    /// The source slice that `toString` gives.
    pub span: Span,
    /// As declared; function expressions may have none. (The compiler infers names for the rest.)
    pub name: Option<NameId>,
    /// The name of a named function expression, as a binding of its own scope around the parameters, when it is used.
    pub self_binding: Option<BindingId>,
    pub params: Vec<PatId>,
    pub rest: Option<PatId>,
    /// Parameters before the first default or rest: the function's `length`.
    pub length: u32,
    /// False when a parameter is a pattern, has a default, or is rest.
    pub simple_params: bool,
    pub body: Body,
    /// Holds the parameters (and `arguments` if used). `body_scope` is its child, also when parameters are simple.
    pub param_scope: ScopeId,
    pub body_scope: ScopeId,
    /// The function it stands in (itself for the program).
    pub parent: FuncId,
    /// `this`, `super` or `new.target` occurs in it, or in an arrow within.
    pub uses_this: bool,
    /// The implicit `arguments` of a non-arrow function, when it is used.
    pub arguments: Option<BindingId>,
    /// Bindings of enclosing functions that this function or one within it uses: what its closure must hold, in order of first use.
    pub captures: Vec<BindingId>,
    /// It or an arrow within it takes `this`/`new.target`/super from an enclosing function: its closure must hold that too (arrows only).
    pub captures_this: bool,
    /// It or a function within it uses a global by name: its closure must reach the global object.
    pub uses_globals: bool,
}

#[derive(Clone, Debug)]
pub enum Body {
    Block(Vec<StmtId>),
    /// `x => e`
    Expr(ExprId),
}

#[derive(Clone, Debug)]
pub struct Class {
    pub name: Option<NameId>,
    /// Inner binding of the name.
    pub self_binding: Option<BindingId>,
    pub scope: ScopeId,
    pub span: Span,
    pub extends: Option<ExprId>,
    pub constructor: Option<FuncId>,
    pub members: Vec<Member>,
    pub private_names: Vec<NameId>,
}

#[derive(Clone, Debug)]
pub enum Member {
    Method { key: Key, func: FuncId, is_static: bool },
    Getter { key: Key, func: FuncId, is_static: bool },
    Setter { key: Key, func: FuncId, is_static: bool },
    /// `func` computes the value.
    Field { key: Key, func: Option<FuncId>, is_static: bool },
    StaticBlock { func: FuncId },
}

/// One use of a variable.
#[derive(Clone, Debug)]
pub struct Ref {
    pub name: NameId,
    pub span: Span,
    pub scope: ScopeId,
    pub to: Resolution,
    /// The binding may still be uninitialised here: the compiler must check (and throw ReferenceError).
    pub check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Before `scope::analyse`.
    Unresolved,
    Local(BindingId),
    /// Not declared anywhere in the source: a property of the global object, or a ReferenceError at run time.
    Global,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind { Params, Body, Block, Loop, Switch, Catch, Class, FunctionName }

#[derive(Clone, Debug)]
pub struct Scope {
    pub kind: ScopeKind,
    pub parent: Option<ScopeId>,
    pub func: FuncId,
    pub bindings: Vec<BindingId>,
    /// Function declarations to initialise when the scope is entered, in source order.
    pub functions: Vec<(BindingId, FuncId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    Var, Let, Const, Function, Class, Param, Catch, SelfName, Arguments,
    /// Reads through another module's cell; index into `ModuleInfo::imports`.
    Import(u32),
    /// `*default*` of `export default <expression>`.
    Default,
}

#[derive(Clone, Debug)]
pub struct Binding {
    pub name: NameId,
    pub kind: BindingKind,
    pub span: Span,
    pub scope: ScopeId,
    /// The function whose frame holds it.
    pub func: FuncId,
    /// Used by a function within `func`.
    pub captured: bool,
    /// Assigned anywhere after its initialisation (a `var` or parameter: assigned at all).
    pub reassigned: bool,
    /// Some `Ref` to it has `check`: it must hold the uninitialised mark when its scope is entered.
    pub tdz: bool,
    /// Lives in a heap cell: an import or export, or captured and (reassigned, or capturable before it is initialised).
    pub boxed: bool,
}

/// Module records (ECMA-262 16.2), empty for other goals.
#[derive(Clone, Debug, Default)]
pub struct ModuleInfo {
    /// Requested modules, each once, in source order: specifier and the place first named.
    pub requests: Vec<(NameId, Span)>,
    pub imports: Vec<ImportEntry>,
    pub exports: Vec<ExportEntry>,
    pub has_top_level_await: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct ImportEntry {
    /// Index into `requests`.
    pub request: u32,
    /// `None` for `* as ns`.
    pub name: Option<NameId>,
    pub binding: BindingId,
}

#[derive(Clone, Copy, Debug)]
pub enum ExportEntry {
    /// `export { local as name }` and exported declarations.
    Local { name: NameId, binding: BindingId },
    /// `export { name as exported } from request`, or an import exported again; `import: None` is `* as exported`.
    Indirect { name: NameId, request: u32, import: Option<NameId> },
    /// `export * from request`.
    Star { request: u32 },
}

impl Tree {
    pub fn expr(&self, id: ExprId) -> &Expr { &self.exprs[id.index()] }
    pub fn stmt(&self, id: StmtId) -> &Stmt { &self.stmts[id.index()] }
    pub fn pat(&self, id: PatId) -> &Pat { &self.pats[id.index()] }
    pub fn func(&self, id: FuncId) -> &Function { &self.functions[id.index()] }
    pub fn class(&self, id: ClassId) -> &Class { &self.classes[id.index()] }
    pub fn scope(&self, id: ScopeId) -> &Scope { &self.scopes[id.index()] }
    pub fn binding(&self, id: BindingId) -> &Binding { &self.bindings[id.index()] }
    pub fn reference(&self, id: RefId) -> &Ref { &self.refs[id.index()] }
    pub fn name(&self, id: NameId) -> &[u16] { &self.names[id.index()] }
    /// For messages: lone surrogates become U+FFFD.
    pub fn name_text(&self, id: NameId) -> String { String::from_utf16_lossy(self.name(id)) }
}
