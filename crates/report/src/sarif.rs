//! SARIF 2.1.0.
use solvent_protocol::view::FullReport;
pub struct Sarif;
impl crate::Handler for Sarif {
    fn name(&self) -> &'static str {
        "sarif"
    }
    fn media_type(&self) -> &'static str {
        "application/sarif+json"
    }
    fn extension(&self) -> &'static str {
        "sarif"
    }
    fn render(&self, report: &FullReport) -> String {
        log(report)
    }
}
/// One log file with one run.
pub fn log(report: &FullReport) -> String {
    report.scan.subject.name.clone()
}
