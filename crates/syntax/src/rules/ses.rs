//! SES itself: what no level below strict ECMAScript lets a program do on its own.
use super::Check;
use crate::ast::*;
use crate::diagnostic::Level;

/// `import(…)` outside a compartment that handles it.
pub(super) fn import_call(c: &mut Check<'_>, id: ExprId) {
    // Below, JS-050 says it.
    if matches!(c.tree.expr(id), Expr::ImportCall { .. }) && c.level == Level::Ses {
        c.reject_expr(id);
    }
}
