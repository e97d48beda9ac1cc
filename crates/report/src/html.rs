//! The page.
use solvent_protocol::view::FullReport;
pub struct Html;
impl crate::Handler for Html {
    fn name(&self) -> &'static str {
        "html"
    }
    fn media_type(&self) -> &'static str {
        "text/html"
    }
    fn extension(&self) -> &'static str {
        "html"
    }
    fn render(&self, report: &FullReport) -> String {
        page(report)
    }
}
/// One self-contained page.
pub fn page(report: &FullReport) -> String {
    report.scan.subject.name.clone()
}
