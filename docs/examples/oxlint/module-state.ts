/**
 * A lint rule for `oxlint`: it finds state of a server outside of the server.
 *
 * A variable of the module outlives every restart, and all servers of a kind share it. In a file that defines a process of
 * effect-otp, the rule reports each variable of the module that a function assigns, and each array, map, set or record of
 * the module that a function changes. Constants are fine. It does not look into a collection inside of a record, nor at
 * files that import all of effect-otp under one name.
 *
 * Copy this file, and add to `.oxlintrc.json`:
 *
 * ```json
 * { "jsPlugins": ["./module-state.ts"], "rules": { "effect-otp/module-state": "error" } }
 * ```
 */

interface Node {
  readonly type: string
  readonly parent: Node
}

interface Scope {
  readonly type: string
  readonly upper: Scope | null
}

interface Reference {
  readonly identifier: Node
  readonly from: Scope
  isWrite(): boolean
}

interface Variable {
  readonly name: string
  readonly references: ReadonlyArray<Reference>
}

interface Context {
  readonly sourceCode: { readonly getDeclaredVariables: (node: Node) => ReadonlyArray<Variable> }
  readonly report: (problem: { readonly node: Node; readonly message: string }) => void
}

/** What a field of a node holds, if it is a node or a name. */
const field = <A = Node>(node: Node, key: string): A | undefined => (node as unknown as Record<string, A>)[key]

// ---- what defines a process -----------------------------------------------------------------------------------------

const behaviours = new Set(["GenServer", "Agent", "StateMachine"])

const definesProcess = (statement: Node): boolean =>
  statement.type === "ImportDeclaration" &&
  field<string>(statement, "importKind") !== "type" &&
  /^effect-otp(\/|$)/.test(field<string>(field(statement, "source")!, "value") ?? "") &&
  (field<ReadonlyArray<Node>>(statement, "specifiers") ?? []).some((specifier) => {
    const imported = field(specifier, "imported") ?? field(specifier, "local")
    return imported !== undefined && behaviours.has(field<string>(imported, "name") ?? "")
  })

// ---- what changes a variable ------------------------------------------------------------------------------------------

const collections = new Set(["Array", "Map", "Set", "WeakMap", "WeakSet"])
const mutators = new Set("add clear copyWithin delete fill pop push reverse set shift sort splice unshift".split(" "))

const isCollection = (value: Node | undefined): boolean => {
  if (value?.type === "ArrayExpression") return true
  const callee = value?.type === "NewExpression" ? field(value, "callee") : undefined
  return callee !== undefined && collections.has(field<string>(callee, "name") ?? "")
}

const inFunction = (scope: Scope | null): boolean =>
  scope !== null && (scope.type === "function" || inFunction(scope.upper))

/** The whole of `a.b.c` that begins with this `a`. */
const path = (node: Node): Node =>
  node.parent.type === "MemberExpression" && field(node.parent, "object") === node ? path(node.parent) : node

const isTarget = (node: Node): boolean => {
  const { parent } = node
  if (parent.type === "AssignmentExpression") return field(parent, "left") === node
  if (parent.type === "UnaryExpression") return field<string>(parent, "operator") === "delete"
  return parent.type === "UpdateExpression"
}

const isMutatorCall = (member: Node): boolean =>
  member.type === "MemberExpression" &&
  member.parent.type === "CallExpression" &&
  field(member.parent, "callee") === member &&
  mutators.has(field<string>(field(member, "property")!, "name") ?? "")

const changes = (reference: Reference, holdsCollection: boolean): boolean => {
  const { from, identifier } = reference
  if (!inFunction(from)) return false
  if (reference.isWrite()) return true
  const whole = path(identifier)
  return (whole !== identifier && isTarget(whole)) || (holdsCollection && isMutatorCall(identifier.parent))
}

// ---- the rule ---------------------------------------------------------------------------------------------------------

const check = (context: Context, declaration: Node): void => {
  for (const declarator of field<ReadonlyArray<Node>>(declaration, "declarations") ?? []) {
    const holdsCollection = isCollection(field(declarator, "init"))
    for (const { name, references } of context.sourceCode.getDeclaredVariables(declarator)) {
      const change = references.find((reference) => changes(reference, holdsCollection))
      if (change === undefined) continue
      const message = `"${name}" is changed here and outlives every restart: keep it in the state that init makes`
      context.report({ node: change.identifier, message })
    }
  }
}

const moduleState = {
  create: (context: Context) => ({
    Program: (program: Node) => {
      const statements = field<ReadonlyArray<Node>>(program, "body") ?? []
      if (!statements.some(definesProcess)) return
      for (const statement of statements) {
        const declaration =
          statement.type === "ExportNamedDeclaration" ? field<Node | null>(statement, "declaration") : statement
        if (declaration?.type === "VariableDeclaration") check(context, declaration)
      }
    }
  })
}

// oxlint-disable-next-line import/no-default-export -- the form oxlint asks for
export default { meta: { name: "effect-otp" }, rules: { "module-state": moduleState } }
