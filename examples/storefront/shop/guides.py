"""Care guides that come with the goods; registered in `create_app`."""

from flask import Response, abort, render_template, request

from . import storage

PREVIEW_DRAFTS = False


def index():
    if PREVIEW_DRAFTS and "draft" in request.args:
        return Response(
            storage.read_draft(request.args["draft"]), mimetype="text/plain"
        )
    return render_template("guides.html", guides=storage.list_guides())


def download():
    name = request.args.get("file", "")
    text = storage.read_guide(name)
    if text is None:
        abort(404)
    return Response(
        text,
        mimetype="text/plain",
        headers={"Content-Disposition": "attachment"},
    )
